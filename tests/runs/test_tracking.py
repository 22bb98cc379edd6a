"""A tracker receives metrics until it fails; the failure is reported once."""

from __future__ import annotations

from collections.abc import Mapping

from seqzoo.plugin.contracts import Tracker
from seqzoo.runs.tracking import GuardedTracker


class RecordingTracker(Tracker):
    def __init__(self) -> None:
        self.lines: list[tuple[int, Mapping[str, float]]] = []
        self.closed = False

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        if step == 13:
            raise RuntimeError("the disk is full")
        self.lines.append((step, metrics))

    def close(self) -> None:
        self.closed = True


def test_a_working_tracker_receives_everything() -> None:
    warnings: list[str] = []
    inner = RecordingTracker()
    tracker = GuardedTracker("sink", lambda: inner, warn=warnings.append)
    tracker.log(1, {"loss": 2.0})
    tracker.close()
    assert inner.lines == [(1, {"loss": 2.0})]
    assert inner.closed


def test_a_failing_tracker_is_reported_once_and_receives_no_more() -> None:
    warnings: list[str] = []
    inner = RecordingTracker()
    tracker = GuardedTracker("sink", lambda: inner, warn=warnings.append)
    for step in (12, 13, 14):
        tracker.log(step, {})
    tracker.close()
    assert [step for step, _ in inner.lines] == [12]
    (sentence,) = warnings
    assert "tracker 'sink' failed" in sentence


def test_a_tracker_that_cannot_be_opened_does_not_stop_the_run() -> None:
    warnings: list[str] = []

    def broken() -> Tracker:
        raise OSError("no such host")

    tracker = GuardedTracker("sink", broken, warn=warnings.append)
    tracker.log(1, {})
    tracker.close()
    assert "no such host" in warnings[0]
