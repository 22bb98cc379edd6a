"""Signals that ask a run to stop: noted at once, obeyed after the current update."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from seqzoo.terminal import signals

__all__ = ["Interrupted", "Interruption", "stopping"]


class Interrupted(BaseException):
    """A run was stopped because of a signal; `exit_code` is 128 + its number.

    The message says what is saved. command: to continue in a shell; "" if there is none.
    """

    def __init__(self, number: int, message: str, *, command: str = "") -> None:
        self.exit_code = 128 + number
        self.message = message
        self.command = command
        super().__init__(f"{message}: {command}" if command else message)


@contextmanager
def stopping(message: str, *, command: str = "") -> Iterator[None]:
    """A stage of a run, in which a KeyboardInterrupt becomes an Interrupted with this message.

    The innermost stage counts.
    """
    with signals.stage(f"{message}: {command}" if command else message):
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(signals.received(), message, command=command) from None


class Interruption:
    """Context in which SIGINT, SIGTERM and SIGHUP set `received` instead of ending the process.

    A second SIGINT raises KeyboardInterrupt at once, for a user who does not want to wait.

    message: what is written to the terminal at the first signal, by its number; may be empty.
    """

    def __init__(self, message: Callable[[int], str]) -> None:
        self._message = message
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in signals.STOPPING:
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
                os.write(2, self._message(number).encode())
