"""Where a run reports its progress: nowhere by default, in the terminal for the command line.

Library code prints nothing by itself. It gets a `Display` and reports to it; the silent display
passes warnings to Python's `warnings`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from seqzoo.terminal import console
from seqzoo.terminal.caller import SeqzooWarning, warn_caller
from seqzoo.terminal.progress import Meter, SilentMeter, meter

__all__ = ["Display", "SeqzooWarning", "TerminalDisplay"]


class Display:
    """Silent: shows no progress and no notes; warnings go through `warnings`."""

    def note(self, text: str) -> None:
        """A short message."""

    def warn(self, text: str) -> None:
        """Something that the user should know."""
        warn_caller(text)

    def panel(self, text: str, *, title: str) -> None:
        """An important message."""
        self.warn(f"{title}: {text}")

    def meter(self, label: str) -> AbstractContextManager[Meter]:
        """A context that shows the progress of a task."""
        return nullcontext(SilentMeter())

    @property
    def on_signal(self) -> str:
        """The message that is written to the terminal when a signal asks the run to stop."""
        return ""


class TerminalDisplay(Display):
    """Progress and messages on stderr, as the command line shows them."""

    def note(self, text: str) -> None:
        console.note(text)

    def warn(self, text: str) -> None:
        console.warn(text)

    def panel(self, text: str, *, title: str) -> None:
        console.panel(text, title=title)

    def meter(self, label: str) -> AbstractContextManager[Meter]:
        return meter(label, console.messages())

    @property
    def on_signal(self) -> str:
        return "\nstopping after this update; Ctrl-C again stops at once\n"
