"""Signals that ask a run to stop: noted at once, obeyed after the current update."""

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
    """A run was saved and stopped because of a signal; `exit_code` is 128 + its number."""

    def __init__(self, number: int, message: str) -> None:
        self.exit_code = 128 + number
        super().__init__(message)


class Interruption:
    """Context in which SIGINT, SIGTERM and SIGHUP set `received` instead of ending the process.

    A second SIGINT raises KeyboardInterrupt at once, for a user who does not want to wait.

    message: written to the terminal at the first signal; may be empty.
    """

    def __init__(self, message: str) -> None:
        self._message = message.encode()
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                # A signal that is ignored stays ignored: nohup does this with SIGHUP.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        is_first, self.received = self.received is None, number
        if is_first:
            # Not print: the signal may have interrupted a write to the same buffer. The terminal
            # may have been closed; the run must be saved even then.
            with contextlib.suppress(OSError):
                os.write(2, self._message)
