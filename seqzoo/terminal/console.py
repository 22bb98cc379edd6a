"""The two output streams: results on stdout, progress and messages on stderr.

Whatever is printed here, no character of it controls the terminal (seqzoo/terminal/characters.py).
In a terminal, messages are broken between words; elsewhere each is one line, without blanks at
its end.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import IO, Any, cast

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.panel import Panel
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from seqzoo.terminal.characters import visible
from seqzoo.terminal.streams import results_stream

__all__ = [
    "can_redraw",
    "facts",
    "fail",
    "messages",
    "note",
    "panel",
    "results",
    "suggest",
    "trimmed",
    "warn",
    "write",
]


def results() -> Console:
    """The console for results; without colours if it is not a terminal."""
    return _SafeConsole(file=trimmed(results_stream()), highlight=False, markup=False, emoji=False)


def messages() -> Console:
    """The console for progress and messages."""
    return _SafeConsole(file=trimmed(sys.stderr), highlight=False, markup=False, emoji=False)


def can_redraw(console: Console) -> bool:
    """Whether lines can be drawn again in place: not in a file, and not where TERM is dumb."""
    return console.is_terminal and not console.is_dumb_terminal


def write(text: str) -> None:
    """Print text on stdout: unchanged, except in a terminal.

    There, no character of it controls the terminal. No newline is added.
    """
    stream = results_stream()
    stream.write(visible(text) if stream.isatty() else text)
    stream.flush()


def note(text: str, *, on: Console | None = None) -> None:
    """Print a message in dim text. on: the console that draws a line of progress, if one does."""
    _say(Text(visible(text), style="dim"), on)


def suggest(text: str, command: str) -> None:
    """Print a message and a command that can be pasted: in a line of its own if it is long."""
    console, line = messages(), f"{visible(text)}: {visible(command)}"
    if console.is_terminal and len(line) > console.width:
        _say(Text(f"{visible(text)}:", style="dim"))
        console.print(Text(f"  {visible(command)}", style="dim"), soft_wrap=True)
    else:
        console.print(Text(line, style="dim"), soft_wrap=True)


def warn(text: str, *, on: Console | None = None) -> None:
    """Print what the user should know and what does not stop the work. on: as for `note`."""
    _say(Text.assemble(("warning: ", "bold yellow"), visible(text)), on)


def fail(text: str) -> None:
    """Print why the command stops."""
    for line in text.rstrip("\n").split("\n"):
        _say(Text.assemble(("error: ", "bold red"), visible(line)))


def panel(text: str, *, title: str) -> None:
    """Print an important message in a frame."""
    frame = Panel(
        Text(visible(text)), title=Text(visible(title)), title_align="left", border_style="yellow"
    )
    messages().print(frame)


def facts(facts: Mapping[str, str]) -> None:
    """Print names and what they are, in two columns."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value in facts.items():
        table.add_row(Text(name), Text(value))
    messages().print(table)


def trimmed(stream: Any) -> IO[str]:
    """The stream as a console needs it: without blanks at the end of lines in a file or a pipe."""
    if stream is None:  # the process has none, and no command prepared it
        return io.StringIO()
    if stream.isatty():
        return cast(IO[str], getattr(stream, "styled", stream))
    return cast(IO[str], _Trimmed(stream))


def _say(text: Text, on: Console | None = None) -> None:
    console = on or messages()
    lines = _broken(text, console.width) if console.is_terminal else [text]
    for line in lines:
        console.print(line, soft_wrap=True)


def _broken(text: Text, width: int) -> Iterator[Text]:
    """The lines of a message, broken between words.

    Two things stay whole, because they are copied whole: a word that is longer than a line, such as
    a path, and a command at the end.
    """
    command = _command_at_end(text.plain)
    words = [match.end() for match in re.finditer(r"\S+\s*", text.plain[:command])]
    if command < len(text.plain):
        words.append(len(text.plain))
    breaks, begin = [], 0
    for before, end in pairwise([0, *words]):
        if before > begin and cell_len(text.plain[begin:end].rstrip()) > width:
            breaks.append(before)
            begin = before
    for line in text.divide(breaks):
        line.rstrip()
        yield line


def _command_at_end(text: str) -> int:
    """Where a command begins that a message ends with, after a colon; the end if there is none."""
    for colon in re.finditer(r": (?=(\S+))", text):
        if colon[1] == "seqzoo" or (colon[1].islower() and shutil.which(colon[1])):
            return colon.end()
    return len(text)


class _SafeConsole(Console):
    """A console that shows characters which would control the terminal."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(visible(text), style)


class _Trimmed:
    """A text stream that leaves out blanks before a newline; rich fills the lines of tables."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(_BLANKS.sub("", text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_BLANKS = re.compile(r"[ \t]+(?=\n)")
