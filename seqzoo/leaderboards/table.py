"""A leaderboard as a table for the terminal: the columns that fit, their widths, and the lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from rich.cells import cell_len
from rich.text import Text

from seqzoo.leaderboards.board import Group
from seqzoo.leaderboards.columns import Cell, ChosenColumns, Column, shown_columns

__all__ = ["group_to_text"]

_GAP = 2
_NARROWEST = 4

_Filled: TypeAlias = tuple[Column, list[str]]
"""A column, and its texts: the title, then one for each row."""


def group_to_text(group: Group, columns: ChosenColumns, *, kind: str, width: int) -> Text:
    """A table without a title, a line for each row; baselines are dim.

    kind: the kind of score that ranks. width: of the default columns as many as fit are shown.
    """
    cells = [Cell(group, row, kind) for row in group.rows]
    filled = [
        (column, [column.title, *map(column.show, cells)])
        for column in shown_columns(group, columns, kind)
    ]
    if columns is None:
        filled = _fitting(filled, width)
    sizes = _widths(filled, width)
    texts = [
        [_fitted(text, size, column) for text in texts]
        for (column, texts), size in zip(filled, sizes, strict=True)
    ]
    # One text, because rich takes minutes for a table of thousands of rows.
    head, *lines = ((" " * _GAP).join(line) for line in zip(*texts, strict=True))
    table = Text(head, no_wrap=True)
    table.stylize("bold")
    for place, (row, line) in enumerate(zip(group.rows, lines, strict=True)):
        if place and kind not in row.bits_per_byte and kind in group.rows[place - 1].bits_per_byte:
            table.append("\n")  # the rows below have no such score
        table.append(f"\n{line}", style=None if row.kind == "run" else "dim")
    return table


def _fitted(text: str, size: int, column: Column) -> str:
    """As wide as the column; of a long text the end, where the members of a sweep differ."""
    if cell_len(text) > size:
        text = f"…{text[1 - size :]}"
    while (length := cell_len(text)) > size:  # some characters are two cells wide
        text = f"…{text[2:]}"
    blanks = " " * (size - length)
    return f"{text}{blanks}" if column.is_text else f"{blanks}{text}"


def _widths(filled: Sequence[_Filled], width: int) -> list[int]:
    """The width of each column. Texts share what is left of `width`; numbers are never cut."""
    widths = [_widest(column, texts) for column, texts in filled]
    texts = [place for place, (column, _) in enumerate(filled) if column.is_text]
    room = width + _GAP - sum(widths) - _GAP * len(widths) + sum(widths[i] for i in texts)
    for left, place in enumerate(sorted(texts, key=lambda place: widths[place])):
        widths[place] = max(_NARROWEST, min(widths[place], room // (len(texts) - left)))
        room -= widths[place]
    return widths


def _fitting(filled: Sequence[_Filled], width: int) -> list[_Filled]:
    """The most important columns that fit side by side, in their order."""
    kept: list[Column] = []
    room = width + _GAP
    for column, texts in sorted(filled, key=lambda each: each[0].priority or 0):
        needed = _widest(column, texts) + _GAP
        if not column.priority or needed <= room:
            kept.append(column)
            room -= needed
    return [each for each in filled if each[0] in kept]


def _widest(column: Column, texts: Sequence[str]) -> int:
    widest = max(map(cell_len, texts))
    return min(widest, column.max_width or widest)
