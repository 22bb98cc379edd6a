"""Ctrl-C, SIGTERM and SIGHUP for a whole command.

The first signal raises KeyboardInterrupt, so that everything is closed in order. Not so while a
module is imported: an exception there can abort the process from inside compiled code, and there
is nothing to close, so the process ends quietly. A second signal ends it at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from seqzoo.terminal.characters import visible

__all__ = [
    "STOPPED",
    "STOPPING",
    "end",
    "line_start",
    "received",
    "reset",
    "stage",
    "stop_on_signals",
    "stop_quietly",
    "stopped",
]

STOPPED = "Stopped."

STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The signals that ask a process to stop."""

_SHOW_CURSOR = "\x1b[?25h"

_received: int | None = None
_stages: list[str] = []
_ended_stage: str | None = None


def stop_on_signals() -> None:
    """Stop this process in order when a signal asks for it; for the start of a command only."""
    for number in STOPPING:
        # A signal that is ignored stays ignored: nohup does this with SIGHUP.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def stop_quietly() -> None:
    """From now on a signal only ends the process: the command is finished."""
    for number in STOPPING:
        if signal.getsignal(number) is _stop:
            signal.signal(number, lambda number, _: os._exit(128 + number))


def received() -> int:
    """The signal behind a KeyboardInterrupt; SIGINT if `stop_on_signals` was not called."""
    return signal.SIGINT if _received is None else _received


def reset() -> None:
    """Forget the signal, because the command continues: the next one is the first again."""
    global _received, _ended_stage
    _received = _ended_stage = None


@contextmanager
def stage(message: str) -> Iterator[None]:
    """A part of the work; the message says what is saved if the process ends at once in it."""
    global _ended_stage
    _stages.append(message)
    try:
        yield
    except KeyboardInterrupt:
        _ended_stage = message
        raise
    finally:
        _stages.pop()


def stopped() -> str:
    """What to say after a KeyboardInterrupt that no stage of a run has turned into a message."""
    return _ended_stage or STOPPED


def end(number: int) -> NoReturn:
    """End the process now with the exit code of a signal, and leave the terminal as it was."""
    has_cursor = os.isatty(2) and os.environ.get("TERM") != "dumb"
    message = _stages[-1] if _stages else STOPPED
    line = f"{_SHOW_CURSOR if has_cursor else ''}{line_start()}{visible(message)}\n"
    # Not print: the signal may have interrupted a write to the same buffer.
    with contextlib.suppress(OSError):
        os.write(2, line.encode("utf-8", "backslashreplace"))
    os._exit(128 + number)


def line_start() -> str:
    """A newline where a terminal has shown ^C in the present line."""
    return "\n" if os.isatty(2) else ""


def _stop(number: int, frame: FrameType | None) -> None:
    global _received
    if _received is not None or _is_importing(frame):
        end(number)
    _received = number
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
