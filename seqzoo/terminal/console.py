"""The two output streams: results on stdout, progress and messages on stderr."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

__all__ = ["facts", "messages", "note", "panel", "results", "warn"]


def results() -> Console:
    """The console for results; without colours if it is not a terminal."""
    return Console(highlight=False)


def messages() -> Console:
    """The console for progress and messages."""
    return Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """Print one line in dim text."""
    messages().print(Text(text), style="dim", soft_wrap=True)


def warn(text: str) -> None:
    """Print something that the user should know and that does not stop the work."""
    messages().print(Text("warning: ", style="bold yellow") + Text(text), soft_wrap=True)


def fail(text: str) -> None:
    """Print why the command stops."""
    for line in text.splitlines() or [""]:
        messages().print(Text("error: ", style="bold red") + Text(line), soft_wrap=True)


def panel(text: str, *, title: str) -> None:
    """Print an important message in a frame."""
    messages().print(Panel(Text(text), title=title, title_align="left", border_style="yellow"))


def facts(facts: Mapping[str, str]) -> None:
    """Print names and what they are, in two columns."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value in facts.items():
        table.add_row(Text(name), Text(value))
    messages().print(table)
