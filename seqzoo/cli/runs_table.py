"""The list of runs as a table that fits the terminal, and as data for programs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from seqzoo.runs.status import RunState, Status
from seqzoo.terminal.console import results
from seqzoo.terminal.format import file_size

__all__ = ["age", "plain", "print_runs", "runs_as_json"]

_GAP = "  "
_NARROWEST = 6


def print_runs(statuses: Sequence[Status], root: Path) -> None:
    """One line for each run, then why some cannot be used, and what can be done next."""
    console = results()
    header = ("run", "state", "step", "test", "size", "age", "note")
    rows = [header, *(_cells(status, root) for status in statuses)]
    widths = _widths(rows, console.width)
    for number, row in enumerate(rows):
        cells = [
            _fitted(text, width, column)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        console.print(
            Text(_GAP.join(cells).rstrip()), style="bold" if not number else "", soft_wrap=True
        )
    console.print()
    for status in statuses:
        if status.reason:
            line = f"{_name(status, root)}: {plain(status.reason)}"
            console.print(Text(line), style="dim", soft_wrap=True)
    if any(map(_partial, statuses)):
        line = "~: only the first bytes of the split were scored (evaluate.max_bytes)"
        console.print(Text(line), style="dim", soft_wrap=True)
    total = file_size(sum(status.size_bytes for status in statuses))
    count = f"{len(statuses)} run{'' if len(statuses) == 1 else 's'}"
    console.print(Text(f"{count}, {total}"), style="dim")
    if resumable := [status for status in statuses if status.can_resume]:
        again = resumable[0].directory.to_continue
        console.print(
            Text(f"{len(resumable)} can be resumed, for example: {again}"),
            style="dim",
            soft_wrap=True,
        )


def runs_as_json(statuses: Sequence[Status], root: Path) -> list[dict[str, Any]]:
    """The same for programs, unrounded."""
    return [
        {
            "run": _name(status, root),
            "path": str(status.directory.path),
            "state": status.state.value,
            "reason": status.reason,
            "step": status.step,
            "budget": status.budget and status.budget.model_dump(exclude_none=True),
            "share": status.share,
            "pruned": status.is_pruned,
            "bits_per_byte": {}
            if status.result is None
            else {name: score.bits_per_byte for name, score in status.result.scores.items()},
            "max_bytes": status.result and status.result.protocol.max_bytes,
            "size_bytes": status.size_bytes,
            "changed": datetime.fromtimestamp(status.changed, UTC).isoformat(),
            "note": status.note,
        }
        for status in statuses
    ]


def _cells(status: Status, root: Path) -> tuple[str, ...]:
    result = status.result
    # If a run was trained further or its scoring changed, its result is old until it is scored.
    is_new = status.state is not RunState.TRAINED
    is_current = result is not None and is_new and status.step in (None, result.steps)
    score = result.scores.get("test") if result is not None and is_current else None
    return (
        plain(_name(status, root)),
        status.state,
        status.progress,
        f"{_partial(status)}{score.bits_per_byte:.3f}" if score else "",
        file_size(status.size_bytes),
        age(time.time() - status.changed),
        plain(status.note),
    )


def _partial(status: Status) -> str:
    """The mark of a score that is of the first bytes of its split only."""
    return "~" if status.result is not None and status.result.protocol.max_bytes else ""


def _name(status: Status, root: Path) -> str:
    path = status.directory.path
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def plain(text: str) -> str:
    """Without characters that would control the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _widths(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Names and notes share what the other columns leave."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    name, note = widths[0], widths[-1]
    room = width - sum(widths[1:-1]) - len(_GAP) * (len(widths) - 1)
    if name + note > room:
        note = max(_NARROWEST, min(note, max(room // 2, room - name)))
        name = max(_NARROWEST, min(name, room - note))
    return [name, *widths[1:-1], note]


def _fitted(text: str, width: int, column: int) -> str:
    """Texts on the left, numbers on the right; of a name the end is shown, of a note the start."""
    while cell_len(text) > width:
        text = f"…{text[2:]}" if column == 0 else f"{text[:-2]}…"
    blanks = " " * (width - cell_len(text))
    return f"{blanks}{text}" if column in (3, 4, 5) else f"{text}{blanks}"


def age(seconds: float) -> str:
    """How long ago, in the largest unit that fits: 4 min."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
