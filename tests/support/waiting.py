"""Waiting for a condition in a test, and for a signal in a program of a test."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["WAIT", "wait_until"]

WAIT = "for _ in range(6000): time.sleep(0.01)"
"""Waits a minute for a signal; on a line of its own, in a program that has imported `time`.

Not one long sleep: a signal that comes between two instructions is handled after the sleep that
follows, because only a call that is interrupted looks for signals.
"""


def wait_until(what: str, condition: Callable[[], bool], timeout_s: float = 240) -> None:
    """Fails with `what` if the condition does not become true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
