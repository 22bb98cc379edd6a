"""seqzoo sample RUN --interactive: prompts line by line, each continued."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator

from seqzoo.terminal import signals
from seqzoo.terminal.console import note
from seqzoo.terminal.streams import stdout_for_input

__all__ = ["converse"]

_PROMPT = "> "


def converse(continue_: Callable[[bytes, int], None]) -> None:
    """Continue every line of stdin until its end; nothing is carried from one to the next.

    continue_: prints the continuation of a prompt; its second argument is the number of the prompt,
    from 0. In a terminal, Ctrl-C ends the present text, and Ctrl-C at the prompt leaves.
    """
    if not sys.stdin.isatty():
        for number, line in enumerate(sys.stdin.buffer):
            continue_(line.rstrip(b"\r\n"), number)
        return
    note("Enter a text to continue. Ctrl-C ends a continuation; Ctrl-D leaves.")
    for number, text in enumerate(_typed()):
        try:
            continue_(text, number)
        except KeyboardInterrupt:
            _require_ctrl_c()
            print(file=sys.stderr)


def _typed() -> Iterator[bytes]:
    """The lines that are typed, until Ctrl-D or Ctrl-C."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (gives `input` its editing and history)
    while True:
        try:
            with stdout_for_input():
                line = input(_PROMPT if sys.stdout.isatty() else "")
        except (EOFError, KeyboardInterrupt, OSError):
            _require_ctrl_c()
            print(file=sys.stderr)
            return
        yield line.encode("utf-8", "surrogateescape")


def _require_ctrl_c() -> None:
    """Forget the signal if it was Ctrl-C; the others ask the whole command to stop."""
    if signals.received() != signal.SIGINT:
        raise KeyboardInterrupt
    signals.reset()
