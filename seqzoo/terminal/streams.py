"""The standard streams of a process: never missing, never unable to encode, and safe to lose.

What cannot be written to stderr is dropped: a message is never worth the work. What cannot be
written to stdout is an error, once.

A command writes its results on stdout, and nothing else arrives there: what a plugin prints, or a
program that it starts, goes to stderr, because the results may be JSON that another program reads.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

from seqzoo.terminal.characters import LOOKALIKES, visible

__all__ = [
    "RESULTS",
    "end_now",
    "prepare_streams",
    "results_stream",
    "stdout_for_input",
    "write_data",
]

RESULTS = "standard output"
"""The file name of an OSError that is about stdout."""

_MESSAGES = (1, 2)
"""The descriptors of stderr, once the results have one of their own."""

_results: TextIO | None = None
"""The stdout that the process was started with, once `prepare_streams` has taken it."""


def prepare_streams() -> None:
    """Replace stdin, stdout and stderr for a command; for the start of a process only.

    `sys.stdout` and the descriptor 1, which C code and other programs use, are stderr from then on;
    results are written on `results_stream`. All encode every text: where the encoding is not UTF-8,
    by look-alikes and escapes. In a terminal, control characters are shown. A stream that the
    process was started without is one that discards all.
    """
    global _results
    for number in (0, 1, 2):
        _open_if_closed(number)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 (it is open until the process ends)
    sys.stderr = _replaced(sys.stderr, 2)
    _results = _replaced(sys.stdout, os.dup(1))
    atexit.register(_finish)  # Python itself only flushes `sys.stdout`
    os.dup2(2, 1)
    sys.stdout = _replaced(sys.stderr, 1)
    if os.environ.get("TERM") in ("dumb", "unknown") and not os.environ.get("COLUMNS"):
        # Rich does not ask such a terminal for its size; it needs both numbers.
        size = shutil.get_terminal_size()
        os.environ.update(COLUMNS=str(size.columns), LINES=str(size.lines))


def results_stream() -> TextIO:
    """Where results are written: stdout as the process was started, or the caller's `sys.stdout`.

    The second where no command has prepared the streams, as in a notebook.
    """
    return sys.stdout if _results is None else _results


@contextlib.contextmanager
def stdout_for_input() -> Iterator[None]:
    """Give `input` the stdout that the process was started with, on which readline edits a line."""
    if _results is None or sys.__stdout__ is None:
        yield
        return
    os.dup2(_results.fileno(), 1)
    try:
        with contextlib.redirect_stdout(sys.__stdout__):
            yield
            sys.stdout.flush()
    finally:
        os.dup2(2, 1)


def end_now(code: int) -> NoReturn:
    """End the process, with all that was written, but without what Python does at its end.

    A thread of torch.distributed that drops a tensor in that moment aborts the process, which
    torchrun takes for a failure of the whole training (pytorch/pytorch#190489).
    """
    _finish()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)


def _finish() -> None:
    with contextlib.suppress(OSError, ValueError):
        results_stream().flush()


def write_data(text: str) -> None:
    """Print a line or more for programs, in UTF-8 whatever the locale; in a terminal, as any text.

    A newline is added where there is none at the end.
    """
    text = text if text.endswith("\n") else f"{text}\n"
    stream = results_stream()
    if stream.isatty() or not hasattr(stream, "buffer"):  # a notebook's stream has no bytes
        stream.write(text)
        return
    stream.flush()
    stream.buffer.write(text.encode("utf-8", LOOKALIKES))


def _open_if_closed(number: int) -> None:
    """Without this, the next file that is opened, a checkpoint perhaps, would get the messages."""
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, usually this one
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)


def _replaced(stream: TextIO | None, number: int) -> TextIO:
    if stream is not None:
        stream.flush()
    kind = _ShownText if os.isatty(number) else io.TextIOWrapper
    return kind(
        io.BufferedWriter(_Descriptor(number)),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors=LOOKALIKES,
        line_buffering=number in _MESSAGES or os.isatty(number),
        write_through=getattr(stream, "write_through", False),
    )


class _ShownText(io.TextIOWrapper):
    """Text for a terminal, which obeys nothing in it, also where `print` is used.

    styled: the same stream for consoles, whose escape codes are meant.
    """

    def write(self, text: str, /) -> int:
        return super().write(visible(text))

    @property
    def styled(self) -> _Styled:
        return _Styled(self)


class _Styled:
    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return io.TextIOWrapper.write(self._stream, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Descriptor(io.FileIO):
    """Stdout or stderr without a buffer; after the first failure it discards what is written."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if self.fileno() in _MESSAGES:
                return len(data)
            raise OSError(error.errno, error.strerror, RESULTS) from error
