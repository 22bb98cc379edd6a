"""A line of Python that waits a minute for a signal.

Not one long sleep: a signal that comes between two instructions is handled after the sleep that
follows, because only a call that is interrupted looks for signals.
"""

from __future__ import annotations

__all__ = ["WAIT"]

WAIT = "for _ in range(6000): time.sleep(0.01)"
"""Stands on a line of its own, in a program that has imported `time`."""
