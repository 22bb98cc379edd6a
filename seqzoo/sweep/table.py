"""The display of a running sweep: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from seqzoo.sweep.process import MemberRun, MemberState
from seqzoo.terminal.console import can_redraw
from seqzoo.terminal.format import clock

__all__ = ["SweepDisplay", "sweep_display", "sweep_table"]

_FRAME_SECONDS = 0.5
_STYLES = {
    MemberState.RUNNING: "bold",
    MemberState.STOPPING: "bold yellow",
    MemberState.FAILED: "bold red",
    MemberState.LOST: "yellow",
    MemberState.STOPPED: "yellow",
    MemberState.PAUSED: "dim",
    MemberState.WAITING: "dim",
    MemberState.DROPPED: "dim",
    MemberState.FINISHED: "green",
    MemberState.SKIPPED: "dim",
}
"""Where there is not room for all rows, states are shown in this order."""


class SweepDisplay:
    """Shows the state of each member of a sweep."""

    def __init__(self, console: Console, live: Live | None, runs: Sequence[MemberRun]) -> None:
        self._console = console
        self._live = live
        self._runs = runs
        self._shown_at = 0.0

    def show(self, *, now: bool = False) -> None:
        """Draw the table again, where there is one and the last drawing is old enough.

        now: draw it in any case.
        """
        moment = time.monotonic()
        if self._live is None or not (now or moment - self._shown_at >= _FRAME_SECONDS):
            return
        self._shown_at = moment
        for run in self._runs:
            if run.is_running:
                run.follow()
        size = self._console.size
        table = sweep_table(self._runs, width=size.width, height=size.height)
        with suppress(OSError):  # the terminal may have been closed; the members run on
            self._live.update(table, refresh=True)

    def print_change(self, run: MemberRun) -> None:
        """Print one line for a member that started or ended, where there is no table."""
        if self._live is not None:
            return
        number = f"[{self._runs.index(run) + 1}/{len(self._runs)}]"
        words = {
            MemberState.RUNNING: "continues from its checkpoint" if run.is_resumed else "starts",
            MemberState.FINISHED: f"finished in {clock(run.seconds)}{_validation(run)}",
            MemberState.FAILED: f"failed with exit code {run.exit_code}, see {run.log}",
            MemberState.LOST: "was lost with its machine, and starts again when its folder is free",
            MemberState.STOPPED: "stopped",
            MemberState.PAUSED: f"pauses after step {run.pause_at}{_validation(run)}",
        }
        line = f"{number} {run.name} {words[run.state]}"
        with suppress(OSError):
            self._console.print(line, soft_wrap=True, markup=False)


@contextmanager
def sweep_display(console: Console, runs: Sequence[MemberRun]) -> Iterator[SweepDisplay]:
    """A live table where `console` can draw again, a line for each change elsewhere."""
    if not can_redraw(console):
        yield SweepDisplay(console, None, runs)
        return
    # Only `show` draws: a thread that draws would disturb the starting of processes.
    with Live(console=console, auto_refresh=False) as live:
        display = SweepDisplay(console, live, runs)
        try:
            yield display
        finally:
            display.show(now=True)


def sweep_table(runs: Sequence[MemberRun], *, width: int, height: int) -> Group:
    """A row for each member; the most important ones where `height` has no room for all.

    width, height: of the terminal, in characters.
    """
    columns = {"state": 8, "done": 4, "bits/byte": 9, "validation": 10, "time": 7}
    room = width - sum(columns.values()) - 2 * len(columns)
    names = _distinct_parts([run.name for run in runs])
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("member", width=max(8, min(room, max(map(len, ["member", *names])))))
    for column, size in columns.items():
        right = "left" if column == "state" else "right"
        table.add_column(column, justify=right, width=size, no_wrap=True)  # type: ignore[arg-type]
    shown = _most_important(runs, max(1, height - 4))
    for run, name in zip(runs, names, strict=True):
        if run in shown:
            table.add_row(Text(_end(name, max(8, room))), *_cells(run), style=_STYLES[run.state])
    counts = Counter(run.state for run in runs)
    words = [f"{counts[state]} {state}" for state in _STYLES if counts[state]]
    hidden = len(runs) - len(shown)
    rest = f"; {hidden} of {len(runs)} not shown" if hidden else ""
    if counts[MemberState.STOPPING]:
        rest += "; press Ctrl-C again to stop at once"
    return Group(table, Text(", ".join(words) + rest, style="dim"))


def _cells(run: MemberRun) -> list[str]:
    state = "scoring" if run.is_running and run.share >= 1 else run.state.value
    has_started = run.latest or run.is_running
    return [
        state,
        f"{run.share:.0%}" if has_started else "",
        _figure(run, "bits_per_byte"),
        _figure(run, "validation_bits_per_byte"),
        clock(run.seconds) if run.seconds else "",
    ]


def _figure(run: MemberRun, key: str) -> str:
    value = run.latest.get(key)
    return "" if value is None else f"{value:.4f}"


def _validation(run: MemberRun) -> str:
    figure = _figure(run, "validation_bits_per_byte")
    return f", validation {figure} bits per byte" if figure else ""


def _distinct_parts(names: Sequence[str]) -> list[str]:
    """The names without the words that all of them begin with."""
    if len(names) == 1:
        return list(names)
    words = [name.split("-") for name in names]
    common = sum(1 for _ in takewhile(lambda same: len(set(same)) == 1, zip(*words, strict=False)))
    return ["-".join(own[common:]) or name for own, name in zip(words, names, strict=True)]


def _end(name: str, length: int) -> str:
    """The end of a name that is too long: members differ at the end of their names."""
    return name if len(name) <= length else f"…{name[1 - length :]}"


def _most_important(runs: Sequence[MemberRun], count: int) -> set[MemberRun]:
    order = list(_STYLES)
    return set(sorted(runs, key=lambda run: order.index(run.state))[:count])
