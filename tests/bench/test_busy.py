"""`seqzoo bench --busy`: what takes turns, which ratios come of it, and the two processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from commands import seqzoo

from seqzoo.bench import busy
from seqzoo.bench.busy import (
    DEFAULT,
    Measured,
    busy_process,
    measure_busy,
    settings,
    speed_in_a_process,
)
from seqzoo.cli.bench import _print_busy
from seqzoo.errors import EnvironmentFault

SIZES: Mapping[str, Any] = {
    "architecture": "lstm",
    "options": ["hidden_size=8"],
    "batch_size": 2,
    "bptt_length": 4,
}


class Machine:
    """Two cores of which each gives 10 kB/s, and fewer beside another process."""

    def __init__(self) -> None:
        self.is_busy = False
        self.measured: list[tuple[str, bool]] = []

    @contextmanager
    def beside(self) -> Iterator[None]:
        self.is_busy = True
        yield
        self.is_busy = False

    def measure(self, environment: Mapping[str, str], sizes: Mapping[str, object]) -> Measured:
        assert sizes is SIZES
        name = next(name for name, found in settings(2).items() if found == environment)
        self.measured.append((name, self.is_busy))
        threads = {"one thread": 1, DEFAULT: 1 if self.is_busy else 2}.get(name, 2)
        alone = 1.05 * 20e3 if "spins" in name else 1e4 * threads
        beside = {"all cores, spins": 1e3}.get(name, 9e3)
        disturbed = 0.1 if len(self.measured) == 5 else 1.0
        return Measured(disturbed * (beside if self.is_busy else alone), threads)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> tuple[Machine, list[busy.Busyness]]:
    machine = Machine()
    monkeypatch.setattr(busy, "usable_cores", lambda: frozenset({0, 1}))
    ratios = measure_busy(
        SIZES, rounds=3, watch=lambda _: None, measure=machine.measure, beside=machine.beside
    )
    return machine, ratios


def test_each_setting_is_measured_quiet_then_busy_in_every_round(
    found: tuple[Machine, list[busy.Busyness]],
) -> None:
    measured = found[0].measured
    names = list(settings(2))
    assert [is_busy for _, is_busy in measured] == [False, True] * 12
    rounds = [[name for name, _ in measured[start : start + 8 : 2]] for start in (0, 8, 16)]
    assert [sorted(each) for each in rounds] == [sorted(names)] * 3
    assert [each[0] for each in rounds] == names[:3], "another one is first in each round"


def test_ratios_are_of_medians_and_one_disturbance_changes_nothing(
    found: tuple[Machine, list[busy.Busyness]],
) -> None:
    ratios = {each.setting: each for each in found[1]}
    assert ratios[DEFAULT].busy_over_quiet == pytest.approx(0.45)
    assert ratios[DEFAULT].quiet_over_best == pytest.approx(1 / 1.05)
    assert ratios[DEFAULT].threads == (2, 1)
    assert ratios["all cores, spins"].quiet_over_best == 1.0
    assert ratios["all cores, spins"].busy_over_quiet == pytest.approx(1 / 21)
    assert ratios["one thread"].threads == (1, 1)


def test_the_table_fits_into_80_columns(
    found: tuple[Machine, list[busy.Busyness]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _print_busy(
        "B2 T4, medians of 3 rounds", [{"architecture": "lstm", **vars(e)} for e in found[1]]
    )
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert len(lines) == 7, "no row is broken"
    assert lines[3].split() == ["default", "2,", "busy", "1", "20.0", "9.0", "0.45", "0.95"]


@pytest.mark.slow
def test_a_process_with_given_settings_is_measured_and_others_are_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "nonsense")
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    measured = speed_in_a_process({"OMP_NUM_THREADS": "1"}, {**SIZES, "seconds": 0.01})
    assert measured.threads == 1
    assert measured.bytes_per_second > 0
    with pytest.raises(EnvironmentFault, match=r"^a measurement failed: .*no_such"):
        speed_in_a_process({}, {**SIZES, "architecture": "no_such"})


def test_the_busy_process_runs_inside_and_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*arguments: Any, **named: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **named))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    with busy_process():
        assert started[0].poll() is None
    assert started[0].returncode is not None


def test_the_busy_process_ends_with_a_benchmark_that_is_killed() -> None:
    code = (
        "import os, signal, subprocess, sys\n"
        "from seqzoo.bench.busy import busy_process\n"
        "with busy_process():\n"
        "    print(flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    # The child has the pipe too, so the end of the pipe is the end of both.
    parent.communicate(timeout=60)


@pytest.mark.parametrize("option", ["--targets", "--threads=2", "--device=cuda"])
def test_busy_refuses_options_without_a_meaning(option: str, tmp_path: Any) -> None:
    done = seqzoo("bench", "lstm", "--busy", option, folder=tmp_path)
    assert done.returncode == 2
    sentence = " ".join(done.stderr.split())
    assert "remove --targets, --threads, --device, --precision." in sentence


def test_wrong_options_of_the_architecture_are_reported_at_once(tmp_path: Any) -> None:
    done = seqzoo("bench", "lstm", "hiden_size=8", "--busy", folder=tmp_path)
    assert done.returncode == 2
    assert "Did you mean 'hidden_size'" in done.stderr
