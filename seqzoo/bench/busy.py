"""What a busy machine costs: training alone and beside one busy process, with several settings.

Each measurement is a process of its own, because OpenMP reads its settings once. The settings take
turns within a round, each alone and at once afterwards beside the busy process, so that a
disturbance of the machine meets all of them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal, TypeAlias

from seqzoo.cores import usable_cores
from seqzoo.errors import EnvironmentFault
from seqzoo.interpreter import python

__all__ = [
    "DEFAULT",
    "Busyness",
    "Measured",
    "busy_process",
    "measure_busy",
    "settings",
    "speed_in_a_process",
]

_Place: TypeAlias = Literal["quiet", "busy"]
_PLACES: tuple[_Place, ...] = ("quiet", "busy")

DEFAULT = "default"


def settings(cores: int) -> dict[str, dict[str, str]]:
    """The environment of each setting; other variables that decide about threads are removed."""
    every_core = {"OMP_NUM_THREADS": str(cores)}
    return {
        DEFAULT: {},
        "all cores": every_core,
        # What libgomp, and LLVM's and Intel's OpenMP, do if nothing is set.
        "all cores, spins": {
            **every_core,
            "GOMP_SPINCOUNT": "300000",
            "KMP_BLOCKTIME": "200",
        },
        "one thread": {"OMP_NUM_THREADS": "1"},
    }


_REMOVED = ("OMP_", "GOMP_", "KMP_", "MKL_NUM_THREADS")

_BUSY = """
import os, sys
while os.getppid() == int(sys.argv[1]):  # it ends with the benchmark, also if that is killed
    for _ in range(10**6):
        pass
"""


@dataclass(frozen=True)
class Measured:
    """Training in one process: bytes per second, and the number of threads that it had."""

    bytes_per_second: float
    threads: int


@dataclass(frozen=True)
class Busyness:
    """Medians of one setting over all rounds, and their ratios.

    quiet, busy: bytes per second. busy_over_quiet: of this setting. quiet_over_best: of this
    setting's quiet speed to that of the setting that is fastest on a quiet machine.
    threads: of the last round, alone and beside the busy process.
    """

    setting: str
    quiet: float
    busy: float
    busy_over_quiet: float
    quiet_over_best: float
    threads: tuple[int, int]


def measure_busy(
    sizes: Mapping[str, object],
    *,
    rounds: int,
    watch: Callable[[str], None],
    measure: Callable[[Mapping[str, str], Mapping[str, object]], Measured] | None = None,
    beside: Callable[[], AbstractContextManager[object]] | None = None,
) -> list[Busyness]:
    """Every setting, alone and beside the busy process, `rounds` times.

    sizes: what is trained, see `seqzoo.bench.speed`. watch: receives what is measured next.
    measure, beside: `speed_in_a_process` and `busy_process`, or others in tests.
    """
    measure, beside = measure or speed_in_a_process, beside or busy_process
    speeds: dict[tuple[str, _Place], list[float]] = {}
    threads: dict[tuple[str, _Place], int] = {}
    environments = settings(len(usable_cores()))
    names = list(environments)
    for number in range(rounds):
        # Another one is first in every round.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            watch(f"{sizes['architecture']}: round {number + 1} of {rounds}, {name}")
            for place in _PLACES:
                with beside() if place == "busy" else nullcontext():
                    found = measure(environments[name], sizes)
                speeds.setdefault((name, place), []).append(found.bytes_per_second)
                threads[name, place] = found.threads
    medians = {key: statistics.median(values) for key, values in speeds.items()}
    best = max(medians[name, "quiet"] for name in names)
    return [
        Busyness(
            name,
            quiet := medians[name, "quiet"],
            busy := medians[name, "busy"],
            busy / quiet,
            quiet / best,
            (threads[name, "quiet"], threads[name, "busy"]),
        )
        for name in names
    ]


@contextmanager
def busy_process() -> Iterator[None]:
    """A process with one thread that keeps one core busy inside."""
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", _BUSY, str(os.getpid())])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def speed_in_a_process(environment: Mapping[str, str], sizes: Mapping[str, object]) -> Measured:
    """What `seqzoo.bench.speed` measures in a process with these environment variables."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_REMOVED)}
    done = subprocess.run(
        [*python(), "-m", "seqzoo.bench.speed", json.dumps(sizes)],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it printed nothing"]
        raise EnvironmentFault(f"a measurement failed: {lines[-1]}")
    return Measured(**json.loads(done.stdout))
