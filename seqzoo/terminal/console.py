"""The two streams: results on stdout, progress and messages on stderr."""

from __future__ import annotations

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

__all__ = ["messages", "note", "panel", "results", "warn"]


def results() -> Console:
    """Where results go; plain when it is not a terminal."""
    return Console(highlight=False)


def messages() -> Console:
    """Where progress and messages go."""
    return Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """One quiet line."""
    messages().print(Text(text), style="dim", soft_wrap=True)


def warn(text: str) -> None:
    """Something the user ought to know, and may go on without."""
    messages().print(Text("warning: ", style="bold yellow") + Text(text), soft_wrap=True)


def fail(text: str) -> None:
    """Why the command ends here."""
    for line in text.splitlines() or [""]:
        messages().print(Text("error: ", style="bold red") + Text(line), soft_wrap=True)


def panel(text: str, *, title: str) -> None:
    """Something nobody should overlook."""
    messages().print(Panel(Text(text), title=title, title_align="left", border_style="yellow"))
