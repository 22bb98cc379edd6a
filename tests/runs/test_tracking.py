"""A tracker is fed while it works, and left out, once told, when it does not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from seqzoo.plugin.contracts import Tracker
from seqzoo.runs.tracking import GuardedTracker


class Remembering(Tracker):
    def __init__(self) -> None:
        self.lines: list[tuple[int, Mapping[str, float]]] = []
        self.closed = False

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        if step == 13:
            raise RuntimeError("the disk of the sink is full")
        self.lines.append((step, metrics))

    def close(self) -> None:
        self.closed = True


def test_a_working_tracker_hears_everything() -> None:
    inner = Remembering()
    tracker = GuardedTracker("sink", lambda: inner)
    tracker.log(1, {"loss": 2.0})
    tracker.close()
    assert inner.lines == [(1, {"loss": 2.0})]
    assert inner.closed


def test_a_failing_tracker_is_told_once_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    inner = Remembering()
    tracker = GuardedTracker("sink", lambda: inner)
    for step in (12, 13, 14):
        tracker.log(step, {})
    tracker.close()
    assert [step for step, _ in inner.lines] == [12]
    assert capsys.readouterr().err.count("tracker 'sink' failed") == 1


def test_a_tracker_that_cannot_be_opened_costs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> Tracker:
        raise OSError("no such host")

    tracker = GuardedTracker("sink", broken)
    tracker.log(1, {})
    tracker.close()
    assert "no such host" in capsys.readouterr().err
