"""A leaderboard for other programs: as Markdown, CSV, JSON and as a page of HTML.

Names come from recipes and folders, so that strangers may have chosen them. JSON has them as they
are; the other forms show them on one line, and nothing in them is markup or a formula.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from seqzoo.leaderboards.board import Board, Group
from seqzoo.leaderboards.columns import (
    Cell,
    ChosenColumns,
    Column,
    default_columns,
    shown_columns,
)
from seqzoo.leaderboards.rows import SCORE_KINDS, Row
from seqzoo.terminal.cells import csv_cell, markdown_cell
from seqzoo.terminal.characters import one_line

__all__ = [
    "board_to_csv",
    "board_to_html",
    "board_to_json",
    "board_to_markdown",
    "notes",
]

_NOTES = {
    "started_from": "started from: training began with the weights of that run. Such runs are "
    "ranked apart from runs from scratch, unless --with-started is given.",
    "members": "ensemble of: the probabilities of these runs are mixed; parameters, bytes and time "
    "are the sums of theirs.",
    "changed": "changed: settings that changed while the run was trained; it is not averaged with "
    "a run that had the new values from the start.",
    "unfinished": "unfinished: the scores are of that step; the run is not trained and scored to "
    "the end of its budget.",
    "adaptive": "static: the model is frozen. adaptive: it learns from the bytes that it has been "
    "scored on.",
    "accuracy": "accuracy: of tokens; a baseline, and a run whose tokens are bytes, guess bytes.",
    "rank": "rank: among all comparable runs; =: the difference is within the noise.",
    "noise": "±: half the 95 % interval of the score that ranks.",
    "seeds": "seeds ±: number of seeds, and their standard deviation; ?: unknown for one seed.",
    "proven": "proven: the split was compressed to the size that these scores say, and restored.",
}


def notes(board: Board, columns: ChosenColumns) -> list[str]:
    """Footnotes for the columns that are shown."""
    kind = board.sorted_by
    keys = {column.key for group in board.groups for column in shown_columns(group, columns, kind)}
    results = [result for group in board.groups for row in group.rows for result in row.results]
    if all(score.counts_bytes for result in results for score in result.scores.values()):
        keys.discard("accuracy")
    return [note for key, note in _NOTES.items() if key in keys]


def board_to_markdown(board: Board, columns: ChosenColumns) -> str:
    """One table for each group, baselines in italics."""
    kind = board.sorted_by
    parts = []
    for group in board.groups:
        shown = shown_columns(group, columns, kind)
        lines = [
            f"### {markdown_cell(group.title)}",
            "",
            "| " + " | ".join(column.title for column in shown) + " |",
            "|" + "|".join(" --- " if column.is_text else " ---: " for column in shown) + "|",
        ]
        for row in group.rows:
            cells = [markdown_cell(column.show(Cell(group, row, kind))) for column in shown]
            if row.kind != "run":
                cells = [f"*{cell}*" if cell else "" for cell in cells]
            lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def board_to_csv(board: Board, columns: ChosenColumns) -> str:
    """One line for each row of every group, numbers unrounded; what a group shares is repeated.

    A column that joins two numbers for people is two columns here. A text that a spreadsheet would
    calculate begins with an apostrophe.
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
            values = [*group_cells, *(value(cell) for _, value in data)]
            writer.writerow(map(csv_cell, values))
    return text.getvalue()


def board_to_html(board: Board, columns: ChosenColumns) -> str:
    """A page in one file: it loads no script, style or font."""
    from seqzoo.pages.render import render  # imports jinja2, which the other forms do not need

    kind = board.sorted_by
    groups = []
    for group in board.groups:
        shown = shown_columns(group, columns, kind)
        cells = [(row, Cell(group, row, kind)) for row in group.rows]
        rows = [
            (row, one_line(" ".join(row.warnings)), [_html_cell(column, cell) for column in shown])
            for row, cell in cells
        ]
        groups.append({"title": group.title, "columns": shown, "rows": rows})
    return render(
        ("seqzoo.leaderboards",),
        "leaderboard.html.j2",
        title="seqzoo leaderboard",
        scripts=("tables.js",),
        groups=groups,
        notes=notes(board, columns),
    )


def _html_cell(column: Column, cell: Cell) -> tuple[Column, Any, str]:
    """The column, what rows are sorted by, and what is shown."""
    text = column.show(cell)
    return column, text if column.is_text else column.value(cell), text


def board_to_json(board: Board) -> str:
    """Everything, for programs; numbers unrounded. A line for each group and row."""
    about = {
        "sorted_by": board.sorted_by,
        "warnings": list(board.warnings),
        "unscored": list(board.unscored),
        "unfinished": list(board.unfinished),
    }
    groups = map(_json_group, board.groups)
    return _with_list(about, "groups", groups)


def _json_group(group: Group) -> str:
    about = {
        "corpus": {"name": group.corpus, "sha256": group.corpus_sha256},
        "split": group.split,
        "protocol": group.protocol.words,
        "scored": group.scored,
        "starts": group.starts,
    }
    return _with_list(about, "rows", (json.dumps(_json_row(row)) for row in group.rows))


def _with_list(about: dict[str, Any], name: str, values: Iterable[str]) -> str:
    """An object of JSON with one more field, a list of JSON values, each on a line of its own.

    The whole at once, indented, would be encoded ten times as slowly.
    """
    listed = ",\n".join(values)
    return f'{json.dumps(about)[:-1]}, "{name}": [\n{listed}\n]}}'


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
            "num_tied": ranking.num_ties,
            "tied_with": list(row.ties[kind]),
            "seeds": ranking.seeds,
            "spread": ranking.spread,
            "interval": None if ranking.interval is None else list(ranking.interval),
        }
        for kind in SCORE_KINDS
        if (ranking := row.rankings.get(kind))
    }
    return shared | {
        "standings": rankings,
        "passed": row.passed,
        "started_from": list(row.started_from),
        "members": list(row.members),
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
