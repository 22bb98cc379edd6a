"""A leaderboard as a table for the terminal, as Markdown, CSV, JSON and as a page of HTML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from seqzoo.leaderboards.board import Board, Group
from seqzoo.leaderboards.columns import Cell, Column, default_columns
from seqzoo.leaderboards.rows import SCORE_KINDS, Row

__all__ = [
    "board_to_csv",
    "board_to_html",
    "board_to_json",
    "board_to_markdown",
    "group_to_table",
    "notes",
]

ChosenColumns: TypeAlias = Sequence[Column] | None
"""The columns to show, in their order; None for the default ones."""

_GAP = 2
_NARROWEST = 4

_NOTES = {
    "started_from": "started from: training began with the weights of that run. Such runs are "
    "ranked apart from runs from scratch, unless --with-started is given.",
    "changed": "changed: settings that changed while the run was trained; it is not averaged with "
    "a run that had the new values from the start.",
    "unfinished": "unfinished: the scores are of that step; the run is not trained and scored to "
    "the end of its budget.",
    "adaptive": "static: the model is frozen. adaptive: it learns from the bytes that it has been "
    "scored on.",
    "rank": "rank: among all comparable runs; =: the difference is within the noise.",
    "noise": "±: half the 95 % interval of the score that ranks.",
    "seeds": "seeds ±: number of seeds, and their standard deviation; ?: unknown for one seed.",
}


def notes(board: Board, columns: ChosenColumns) -> list[str]:
    """Footnotes for the columns that are shown."""
    keys = {
        column.key for group in board.groups for column in _shown(group, columns, board.sorted_by)
    }
    return [note for key, note in _NOTES.items() if key in keys]


def group_to_table(group: Group, columns: ChosenColumns, *, kind: str, width: int) -> Table:
    """A rich table without a title; baselines are dim.

    kind: the kind of score that ranks. width: of the default columns as many as fit are shown.
    """
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    shown = _shown(group, columns, kind)
    if columns is None:
        shown = _fitting(group, shown, kind, width)
    widths = _widths(group, shown, kind, width)
    for column, size in zip(shown, widths, strict=True):
        justify: JustifyMethod = "left" if column.is_text else "right"
        table.add_column(column.title, justify=justify, no_wrap=True, width=size)
    for place, row in enumerate(group.rows):
        cells = [
            Text(_end(column.show(Cell(group, row, kind)), size))
            for column, size in zip(shown, widths, strict=True)
        ]
        if place and kind not in row.bits_per_byte and kind in group.rows[place - 1].bits_per_byte:
            table.add_row()  # the rows below have no such score
        table.add_row(*cells, style="" if row.kind == "run" else "dim")
    return table


def _end(text: str, size: int) -> str:
    """The end of a text that is too long: members of a sweep differ at the end of their names."""
    return text if cell_len(text) <= size else f"…{text[1 - size :]}"


def _widths(group: Group, columns: Sequence[Column], kind: str, width: int) -> list[int]:
    """The width of each column. Texts share what is left of `width`; numbers are never cut."""
    widths = [_widest(group, column, kind) for column in columns]
    texts = [place for place, column in enumerate(columns) if column.is_text]
    room = width + _GAP - sum(widths) - _GAP * len(widths) + sum(widths[i] for i in texts)
    for left, place in enumerate(sorted(texts, key=lambda place: widths[place])):
        widths[place] = max(_NARROWEST, min(widths[place], room // (len(texts) - left)))
        room -= widths[place]
    return widths


def _shown(group: Group, columns: ChosenColumns, kind: str) -> list[Column]:
    """The columns that were asked for, or the default ones that are not empty."""
    if columns is not None:
        return list(columns)
    return [
        column
        for column in default_columns()
        if column.key != group.scored  # which is the static column
        and any(column.show(Cell(group, row, kind)) for row in group.rows)
    ]


def _fitting(group: Group, columns: Sequence[Column], kind: str, width: int) -> list[Column]:
    """The most important columns that fit side by side, in their order."""
    kept: list[Column] = []
    room = width + _GAP
    for column in sorted(columns, key=lambda column: column.priority or 0):
        needed = _widest(group, column, kind) + _GAP
        if not column.priority or needed <= room:
            kept.append(column)
            room -= needed
    return [column for column in columns if column in kept]


def _widest(group: Group, column: Column, kind: str) -> int:
    texts = [column.title, *(column.show(Cell(group, row, kind)) for row in group.rows)]
    widest = max(map(cell_len, texts))
    return min(widest, column.max_width or widest)


def board_to_markdown(board: Board, columns: ChosenColumns) -> str:
    """One table for each group, baselines in italics."""
    kind = board.sorted_by
    parts = []
    for group in board.groups:
        shown = _shown(group, columns, kind)
        lines = [
            f"### {_escaped(group.title)}",
            "",
            "| " + " | ".join(column.title for column in shown) + " |",
            "|" + "|".join(" --- " if column.is_text else " ---: " for column in shown) + "|",
        ]
        for row in group.rows:
            cells = [_escaped(column.show(Cell(group, row, kind))) for column in shown]
            if row.kind != "run":
                cells = [f"*{cell}*" if cell else "" for cell in cells]
            lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _escaped(text: str) -> str:
    return "".join(f"\\{character}" if character in "\\|*_`<[" else character for character in text)


def board_to_csv(board: Board, columns: ChosenColumns) -> str:
    """One line for each row of every group, numbers unrounded; what a group shares is repeated.

    A column that joins two numbers for people is two columns here.
    """
    identity = ("corpus_sha256", "split", "scored", "starts")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    chosen = default_columns() if columns is None else columns
    data = [each for column in chosen for each in column.data]
    writer.writerow([*identity, *(key for key, _ in data)])
    for group in board.groups:
        group_cells = [getattr(group, name) for name in identity]
        for row in group.rows:
            cell = Cell(group, row, board.sorted_by)
            writer.writerow([*group_cells, *(value(cell) for _, value in data)])
    return text.getvalue()


def board_to_html(board: Board, columns: ChosenColumns) -> str:
    """A page in one file: it loads no script, style or font."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("seqzoo.leaderboards", ""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    kind = board.sorted_by
    groups = [
        {
            "group": group,
            "columns": (shown := _shown(group, columns, kind)),
            "rows": [
                (row, [(column, column.value(cell), column.show(cell)) for column in shown])
                for row in group.rows
                for cell in [Cell(group, row, kind)]
            ],
        }
        for group in board.groups
    ]
    return environment.get_template("standalone.html.j2").render(
        groups=groups, notes=notes(board, columns)
    )


def board_to_json(board: Board) -> str:
    """Everything, for programs; numbers unrounded."""
    return json.dumps(
        {
            "sorted_by": board.sorted_by,
            "groups": [
                {
                    "corpus": {"name": group.corpus, "sha256": group.corpus_sha256},
                    "split": group.split,
                    "protocol": group.protocol.words,
                    "scored": group.scored,
                    "starts": group.starts,
                    "rows": [_json_row(row) for row in group.rows],
                }
                for group in board.groups
            ],
            "warnings": list(board.warnings),
            "unscored": list(board.unscored),
            "unfinished": list(board.unfinished),
        },
        indent=1,
    )


def _json_row(row: Row) -> dict[str, Any]:
    shared = {
        "kind": row.kind,
        "name": row.name,
        "bits_per_byte": row.bits_per_byte,
        "other_splits": row.other_splits,
        "other_adaptive": row.other_adaptive,
        "accuracy": row.accuracy,
        "warnings": list(row.warnings),
    }
    if not row.results:
        return shared
    first = row.results[0]
    rankings = {
        kind: {
            "rank": ranking.rank,
            "tied_with": list(row.ties[kind]),
            "seeds": ranking.seeds,
            "spread": ranking.spread,
            "interval": list(ranking.interval),
        }
        for kind in SCORE_KINDS
        if (ranking := row.rankings.get(kind))
    }
    return shared | {
        "standings": rankings,
        "passed": row.passed,
        "started_from": list(row.started_from),
        "changed": list(row.changed),
        "note": row.note,
        "unfinished": row.unfinished,
        "recipe": first.recipe,
        "architecture": first.architecture,
        "tokenizer": first.tokenizer,
        "parameters": first.parameters,
        "runs": [
            {
                "run": result.run,
                "seed": result.seed,
                "bits_per_byte": {
                    name: score.bits_per_byte for name, score in result.scores.items()
                },
                "adaptive": result.adaptive
                and {
                    "method": result.adaptive.method,
                    "bits_per_byte": {
                        name: score.bits_per_byte for name, score in result.adaptive.scores.items()
                    },
                },
                "placement": result.placement,
                "training_bytes": result.training_bytes,
                "training_seconds": result.training_seconds,
                "peak_memory_bytes": result.peak_memory_bytes,
                "created": result.created.isoformat(),
            }
            for result in row.results
        ],
    }
