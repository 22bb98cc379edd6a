"""A leaderboard as a table for the terminal, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from seqzoo.leaderboard import Board, Group, Row
from seqzoo.results import Result

__all__ = ["as_json", "as_markdown", "as_table"]


@dataclass(frozen=True)
class _Column:
    """A column, and how early it is taken where there is not room for all."""

    title: str
    cell: Callable[[Row], str]
    priority: int
    is_text: bool = False
    max_width: int | None = None


_GAP = 2


def _rank(row: Row) -> str:
    return f"{'=' if row.is_shared else ''}{row.rank}" if row.rank else ""


def _half_width(result: Result) -> str:
    low, high = result.scores["test"].interval
    return f"{(high - low) / 2:.3f}"


def _bits(split: str) -> Callable[[Row], str]:
    return lambda row: f"{row.bits_per_byte[split]:.3f}" if split in row.bits_per_byte else ""


def _accuracy(row: Row) -> str:
    return f"{row.accuracy['test']:.1%}" if "test" in row.accuracy else ""


def _of_run(cell: Callable[[Result], str]) -> Callable[[Row], str]:
    return lambda row: cell(row.result) if row.result is not None else ""


def _short_count(count: int) -> str:
    """1234567 to 1.23M."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            value = count / size
            return f"{value:.3g}{unit}" if value < 999.5 else f"{value:.0f}{unit}"
    return str(count)


def _short_time(seconds: float) -> str:
    """95 to 1:35, 4000 to 1:06:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


_COLUMNS = (
    _Column("rank", _rank, 0),
    _Column("run", lambda row: row.name, 0, is_text=True, max_width=28),
    _Column("architecture", _of_run(lambda result: result.architecture), 2, is_text=True),
    _Column("test", _bits("test"), 0),
    _Column("±", _of_run(_half_width), 0),
    _Column("validation", _bits("validation"), 6),
    _Column("held-out", _bits("held_out"), 5),
    _Column("accuracy", _accuracy, 3),
    _Column("params", _of_run(lambda result: _short_count(result.parameters)), 4),
    _Column("time", _of_run(lambda result: _short_time(result.training_seconds)), 7),
    _Column("passed rung", lambda row: row.passed, 1, is_text=True),
)


def as_table(group: Group, *, width: int) -> Table:
    """A rich table of as many columns as fit, baselines dim; the title is left to the caller."""
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, _GAP, 0, 0),
        header_style="bold",
    )
    columns = _fitting(group.rows, width)
    for column in columns:
        table.add_column(
            column.title,
            justify="left" if column.is_text else "right",
            no_wrap=True,
            overflow="ellipsis",
            max_width=column.max_width,
        )
    for row in group.rows:
        cells = [Text(column.cell(row)) for column in columns]
        table.add_row(*cells, style="" if row.kind == "run" else "dim")
    return table


def _fitting(rows: Sequence[Row], width: int) -> list[_Column]:
    """The columns of most importance that fit side by side, in their order."""
    kept: list[_Column] = []
    room = width + _GAP
    for column in sorted(_COLUMNS, key=lambda column: column.priority):
        widest = max(cell_len(text) for text in [column.title, *map(column.cell, rows)])
        needed = min(widest, column.max_width or widest) + _GAP
        if column.priority == 0 or needed <= room:
            kept.append(column)
            room -= needed
    return [column for column in _COLUMNS if column in kept]


def as_markdown(board: Board) -> str:
    """Every column, one table for each group."""
    parts = []
    for group in board.groups:
        lines = [
            f"### {_escaped(group.title)}",
            "",
            "| " + " | ".join(column.title for column in _COLUMNS) + " |",
            "|" + "|".join(" --- " if column.is_text else " ---: " for column in _COLUMNS) + "|",
        ]
        for row in group.rows:
            cells = [_escaped(column.cell(row)) for column in _COLUMNS]
            if row.kind != "run":
                cells = [f"*{cell}*" if cell else "" for cell in cells]
            lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _escaped(text: str) -> str:
    return "".join(f"\\{character}" if character in "\\|*_`<[" else character for character in text)


def as_json(board: Board) -> str:
    """Everything, for programs; numbers unrounded."""
    return json.dumps(
        {
            "groups": [
                {
                    "corpus": {"name": group.corpus, "sha256": group.corpus_sha256},
                    "split": group.split,
                    "protocol": group.protocol,
                    "rows": [_json_row(row) for row in group.rows],
                }
                for group in board.groups
            ],
            "warnings": list(board.warnings),
        },
        indent=1,
    )


def _json_row(row: Row) -> dict[str, Any]:
    shared = {
        "kind": row.kind,
        "name": row.name,
        "bits_per_byte": row.bits_per_byte,
        "accuracy": row.accuracy,
        "adaptive": row.adaptive,
    }
    if row.result is None:
        return shared
    result = row.result
    return shared | {
        "rank": row.rank,
        "tied": row.is_shared,
        "interval": {split: list(score.interval) for split, score in result.scores.items()},
        "passed": row.passed,
        "placement": result.placement,
        "architecture": result.architecture,
        "tokenizer": result.tokenizer,
        "parameters": result.parameters,
        "training_bytes": result.training_bytes,
        "training_seconds": result.training_seconds,
        "created": result.created.isoformat(),
    }
