"""Signals that ask a run to stop: noted at once, honoured after the current update."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "Interruption"]

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interrupted(BaseException):
    """A run was stopped by a signal after it had saved; `exit_code` is 128 + its number."""

    def __init__(self, number: int, message: str) -> None:
        self.exit_code = 128 + number
        super().__init__(message)


class Interruption:
    """Context in which SIGINT, SIGTERM and SIGHUP set `received` instead of ending the process.

    A second SIGINT raises KeyboardInterrupt there and then, for the user who will not wait.

    said: what the first signal writes to the terminal; empty where something else tells it.
    """

    def __init__(self, said: str) -> None:
        self._said = said.encode()
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                # nohup ignores SIGHUP for its children, and means it.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        told, self.received = self.received is not None, number
        if not told:
            # Not print: its buffer may be the very thing that the signal interrupted. And the
            # terminal may be gone, which must not keep the run from being saved.
            with contextlib.suppress(OSError):
                os.write(2, self._said)
