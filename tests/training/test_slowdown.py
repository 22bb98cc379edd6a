"""When a slow machine is reported, with made speeds."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch

from seqzoo import cores
from seqzoo.model.runtime import Runtime
from seqzoo.training.slowdown import MachineWatch, Slowdown

QUIET, BUSY = 0.1, 1.0


def reports(
    intervals: Iterable[tuple[float, float]], *, threads: int = 2, usable: int = 2
) -> list[int]:
    """The numbers of the intervals, (speed, cores of others), that are reported."""
    watch = Slowdown(threads=threads, cores=usable)
    return [number for number, seen in enumerate(intervals) if watch.observe(*seen)]


FAST, SLOW = (33e3, QUIET), (5e3, BUSY)


def test_a_busy_machine_is_reported_once_and_at_the_third_slow_interval() -> None:
    assert reports([FAST] * 10 + [SLOW] * 50) == [12]


def test_it_is_reported_again_only_after_training_recovered() -> None:
    assert reports([FAST] * 5 + [SLOW] * 9 + [FAST] * 3 + [SLOW] * 9) == [7, 19]
    assert reports([FAST] * 5 + [SLOW] * 9 + [FAST] * 2 + [SLOW] * 9) == [7]


def test_one_slow_interval_is_nothing() -> None:
    assert reports(([FAST] * 5 + [SLOW] * 2) * 20) == []


def test_a_longer_stretch_of_text_is_slow_on_a_free_machine_and_not_reported() -> None:
    assert reports([FAST] * 10 + [(5e3, QUIET)] * 50) == []


def test_the_speed_of_a_later_stage_becomes_the_usual_one() -> None:
    later = (5e3, QUIET)
    assert reports([FAST] * 10 + [later] * 20 + [(4e3, BUSY)] * 20) == []
    assert reports([FAST] * 10 + [later] * 20 + [(1e3, BUSY)] * 20) == [32]


def test_other_processes_on_other_cores_are_no_reason() -> None:
    assert reports([FAST] * 10 + [SLOW] * 50, threads=1, usable=2) == []
    assert reports([FAST] * 10 + [SLOW] * 50, threads=1, usable=1) == [12]


def test_a_run_that_is_as_slow_as_at_its_start_is_not_reported() -> None:
    assert reports([SLOW] * 50) == []
    assert reports([FAST] + [SLOW] * 50) == []


def test_the_sentence_has_the_figures_and_what_to_do() -> None:
    watch = Slowdown(threads=2, cores=2)
    *_, sentence = [watch.observe(*seen) for seen in [FAST] * 5 + [SLOW] * 3]
    assert sentence == (
        "training slowed down from 33.0 to 5.0 kB/s, because other processes use 1.0 of the 2 "
        "cores: stop them, or start a new run with runtime.threads=1; this run keeps 2 threads, "
        "because its result depends on their number"
    )
    alone = Slowdown(threads=1, cores=1)
    *_, sentence = [alone.observe(*seen) for seen in [FAST] * 5 + [SLOW] * 3]
    assert sentence.endswith("use 1.0 of the 1 cores: stop them")


@pytest.mark.parametrize(("device", "observed"), [("cpu", [10e3, 1.5]), ("meta", [])])
def test_short_intervals_are_joined_by_their_time(
    device: str, observed: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    waited = iter([0.5, 1.5, 2.5])
    monkeypatch.setattr(cores.OtherProcesses, "seconds", lambda self: next(waited))
    monkeypatch.setattr(cores.OtherProcesses, "busy_cores", lambda self: 1.5)
    monkeypatch.setattr(Slowdown, "observe", lambda self, *given: seen.extend(given))
    watch = MachineWatch(Runtime(torch.device(device), "float32", 2))
    for speed in (30e3, 30e3, 30e3 / 7):
        watch.observe(speed)
    assert seen == pytest.approx(observed)
