"""Where a run reports its progress: nowhere by default, in the terminal for the command line.

Library code prints nothing by itself. It gets a `Display` and reports to it; the silent display
passes warnings to Python's `warnings`.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

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

    def facts(self, facts: Mapping[str, str]) -> None:
        """A short block: what is going to be done, with what, and how long it takes."""

    @property
    def is_silent(self) -> bool:
        """Whether nobody sees notes and progress, so that nothing needs to be measured for them."""
        return True

    def meter(self, label: str) -> AbstractContextManager[Meter]:
        """A context that shows the progress of a task."""
        return nullcontext(SilentMeter())

    def on_signal(self, number: int) -> str:
        """The message that is written to the terminal when a signal asks the run to stop."""
        return ""


class TerminalDisplay(Display):
    """Progress and messages on stderr, as the command line shows them."""

    def __init__(self) -> None:
        # While a line of progress is drawn, messages are printed above it, by the same console.
        self._meters: list[Meter] = []

    def note(self, text: str) -> None:
        self._meters[-1].note(text) if self._meters else console.note(text)

    def warn(self, text: str) -> None:
        self._meters[-1].warn(text) if self._meters else console.warn(text)

    def panel(self, text: str, *, title: str) -> None:
        console.panel(text, title=title)

    def facts(self, facts: Mapping[str, str]) -> None:
        console.facts(facts)

    @property
    def is_silent(self) -> bool:
        return False

    @contextmanager
    def meter(self, label: str) -> Iterator[Meter]:
        with meter(label, console.messages()) as shown:
            self._meters.append(shown)
            try:
                yield shown
            finally:
                self._meters.pop()

    def on_signal(self, number: int) -> str:
        again = "; Ctrl-C again stops at once" if number == signal.SIGINT else ""
        return f"\nstopping after this update{again}\n"
