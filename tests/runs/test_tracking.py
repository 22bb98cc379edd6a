"""A tracker is fed while it works, and left out, once reported, when it does not."""

from __future__ import annotations

from collections.abc import Mapping

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


def test_a_working_tracker_receives_everything() -> None:
    said: list[str] = []
    inner = Remembering()
    tracker = GuardedTracker("sink", lambda: inner, warn=said.append)
    tracker.log(1, {"loss": 2.0})
    tracker.close()
    assert inner.lines == [(1, {"loss": 2.0})]
    assert inner.closed


def test_a_failing_tracker_is_reported_once_and_left_out() -> None:
    said: list[str] = []
    inner = Remembering()
    tracker = GuardedTracker("sink", lambda: inner, warn=said.append)
    for step in (12, 13, 14):
        tracker.log(step, {})
    tracker.close()
    assert [step for step, _ in inner.lines] == [12]
    (sentence,) = said
    assert "tracker 'sink' failed" in sentence


def test_a_tracker_that_cannot_be_opened_costs_nothing() -> None:
    said: list[str] = []

    def broken() -> Tracker:
        raise OSError("no such host")

    tracker = GuardedTracker("sink", broken, warn=said.append)
    tracker.log(1, {})
    tracker.close()
    assert "no such host" in said[0]
