"""Shows progress: a line that is updated in a terminal, or plain lines now and then."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from seqzoo.terminal.characters import visible
from seqzoo.terminal.console import can_redraw, note, warn

__all__ = ["Meter", "SilentMeter", "meter"]

_FIRST_AFTER_SECONDS = 1.0
_PLAIN_EVERY_SECONDS = 5.0
_ESTIMATED_FROM = 0.03  # less of the task says nothing about the rest


class Meter:
    """Shows the finished share of a task and a few words."""

    def __init__(self, console: Console, progress: Progress | None, label: str) -> None:
        self._console = console
        self._progress = progress
        self._label = label
        self._task = progress.add_task(label, total=1.0, words="") if progress else None
        self._started = time.monotonic()
        self._print_at = self._started + _FIRST_AFTER_SECONDS
        self._first_share: float | None = None
        self._has_ended = False

    def show(self, share: float, words: str) -> None:
        """Show that `share` (0 to 1) is finished; fast enough to be called every few updates."""
        if self._first_share is None:
            self._first_share = share
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=share, words=visible(words))
            return
        now = time.monotonic()
        ends = share >= 1 and not self._has_ended
        self._has_ended |= ends
        if now >= self._print_at or ends:
            self._print_at = now + _PLAIN_EVERY_SECONDS
            self._print(f"{self._label} {share:4.0%}  {words}{self._time_left(share, now)}")

    def note(self, words: str) -> None:
        """Print a line that stays."""
        # The terminal may have been closed; the work continues, or is at least saved.
        with contextlib.suppress(OSError):
            note(words, on=self._console)

    def warn(self, words: str) -> None:
        """Print a warning."""
        with contextlib.suppress(OSError):
            warn(words, on=self._console)

    def _print(self, words: str) -> None:
        with contextlib.suppress(OSError):
            self._console.print(Text(visible(words)), soft_wrap=True)

    def _time_left(self, share: float, now: float) -> str:
        done = share - (self._first_share or 0.0)
        if done < _ESTIMATED_FROM or share >= 1:
            return ""
        return f"  {(now - self._started) / done * (1 - share):.0f} s left"


class SilentMeter(Meter):
    """Shows nothing."""

    def __init__(self) -> None:
        """Nothing to prepare."""

    def show(self, share: float, words: str) -> None:
        """Nothing."""

    def note(self, words: str) -> None:
        """Nothing."""

    def warn(self, words: str) -> None:
        """Nothing."""


@contextmanager
def meter(label: str, console: Console) -> Iterator[Meter]:
    """A meter: updated in place where `console` can draw again, printed now and then elsewhere."""
    if not can_redraw(console):
        yield Meter(console, None, label)
        return
    columns = (
        # No label: with it the line would not fit into 80 columns.
        BarColumn(bar_width=8),
        TaskProgressColumn(),
        TextColumn("{task.fields[words]}", markup=False),
        TimeRemainingColumn(compact=True),
    )
    # Only four frames a second, because training waits while a frame is drawn.
    with Progress(*columns, console=console, refresh_per_second=4, transient=True) as progress:
        yield Meter(console, progress, label)
