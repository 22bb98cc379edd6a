"""Curves drawn with characters: fine dots where there are colours, letters where there are none.

The canvas is written here: it keeps nothing between drawings, and gives text with styles instead
of escape codes.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.text import Text

from seqzoo.pages.axes import short_number, ticks

__all__ = ["SEVERAL", "Series", "draw_curves"]


class PlotPoint(NamedTuple):
    """x is at least 0; both are finite."""

    x: float
    y: float


@dataclass(frozen=True)
class Series:
    """One curve. letter: drawn at its end, or at each of its points. style: one of rich's."""

    letter: str
    style: str
    points: Sequence[tuple[float, float]]


_BRAILLE = 0x2800
# The bits of a braille character's dots, by row from the top and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
SEVERAL = "*"
"""Drawn where the letters of several curves would be."""

_LEAST_COLUMNS = 12


def draw_curves(
    series: Sequence[Series], *, title: str, width: int, height: int, letters: bool
) -> Text:
    """A title, `height` rows of curves with an axis on either side, and a row of numbers below.

    letters: draw with letters, one to a cell, instead of 2 x 4 dots. No line is longer than
    `width`. A curve is the mean of its points in each column, joined by straight lines; a gap
    between points that is more than three times the usual one stays open. The x axis begins at 0.
    Where a few high values would leave no room for the rest, the y axis ends below them, and the
    title says so.
    """
    curves = [sorted(map(PlotPoint._make, one.points)) for one in series]
    if not any(curves):
        return _cut(f"{title}: no points", width)
    right = max(curve[-1].x for curve in curves if curve) or 1.0
    low, high, is_cut = _range(curves)
    numbers = dict(ticks(low, high, at_most=max(3, height // 2)))
    margin = max(map(len, numbers.values()))
    columns = width - margin - 2 - len(series)
    if columns < _LEAST_COLUMNS:
        return _cut(f"{title}: no room", width)
    canvas = _Canvas(columns, height, letters=letters)
    scale = _Scale(canvas, right, low, high)
    for one, curve in zip(series, curves, strict=True):
        for column, row in scale.dots(curve):
            canvas.dot(column, row, one)
    if not letters:
        for one, curve in zip(series, curves, strict=True):
            if curve:
                canvas.label(one, *scale.dot(curve[-1]))
    labels = {
        scale.dot(PlotPoint(0.0, tick))[1] // canvas.down: text for tick, text in numbers.items()
    }
    lines = [_cut(title + (" (the highest are cut off)" if is_cut else ""), width)]
    for row, cells in enumerate(canvas.rows()):
        line = Text(f"{labels.get(row, ''):>{margin}} {'┤' if row in labels else '│'}", end="")
        line.append_text(cells)
        line.rstrip()
        lines.append(line)
    lines += _x_axis(scale, columns=columns, margin=margin)
    return Text("\n").join(lines)


class _Canvas:
    """Cells of characters. Rows are counted from the top."""

    def __init__(self, columns: int, rows: int, *, letters: bool) -> None:
        self.across, self.down = (1, 1) if letters else (2, 4)
        self.width, self.height = columns * self.across, rows * self.down
        self._size = (rows, columns)
        self._letters = letters
        self._bits: dict[tuple[int, int], int] = {}
        self._owners: dict[tuple[int, int], Series] = {}
        self._text: dict[tuple[int, int], str] = {}

    def dot(self, column: int, row: int, series: Series) -> None:
        """Set one dot; a cell has the style of the last series drawn in it."""
        cell = row // self.down, column // self.across
        if self._letters:
            before = self._text.get(cell, series.letter)
            self._text[cell] = series.letter if before == series.letter else SEVERAL
        else:
            bit = _DOTS[row % self.down][column % self.across]
            self._bits[cell] = self._bits.get(cell, 0) | bit
        self._owners[cell] = series

    def label(self, series: Series, column: int, row: int) -> None:
        """Write a letter in the nearest cell to the right that has none."""
        cell = row // self.down, column // self.across + 1
        while cell in self._text:
            cell = cell[0], cell[1] + 1
        self._text[cell] = series.letter
        self._owners[cell] = series

    def rows(self) -> Iterator[Text]:
        rows, columns = self._size
        for row in range(rows):
            line = Text(end="")
            # Labels of curves that end at the right edge are outside of it.
            for column in range(max([columns, *(at + 1 for _, at in self._text)])):
                cell = row, column
                character = self._text.get(cell) or chr(_BRAILLE + self._bits.get(cell, 0))
                blank = cell not in self._owners
                line.append(
                    " " if blank else character, None if blank else self._owners[cell].style
                )
            yield line


class _Scale:
    """From values to dots."""

    def __init__(self, canvas: _Canvas, right: float, low: float, high: float) -> None:
        self.right, self.across = right, canvas.across
        self._last = canvas.width - 1, canvas.height - 1
        self._low, self._high = low, high

    def column(self, x: float) -> int:
        return round(x / self.right * self._last[0])

    def _height(self, y: float) -> float:
        """Dots from the top, not rounded; may be outside the canvas."""
        return (self._high - y) / (self._high - self._low) * self._last[1]

    def _inside(self, height: float) -> int:
        return round(min(max(height, 0), self._last[1]))

    def dot(self, point: PlotPoint) -> tuple[int, int]:
        """The dot of a point; at the edge where the point is outside."""
        return self.column(point.x), self._inside(self._height(point.y))

    def dots(self, curve: Sequence[PlotPoint]) -> Iterator[tuple[int, int]]:
        """The dots of a curve, none of them twice in a row."""
        for stretch in _stretches(curve):
            means = []
            for column, points in itertools.groupby(stretch, lambda point: self.column(point.x)):
                means.append((column, self._height(statistics.fmean(y for _, y in points))))
            before = means[0][1]
            yield from self._fall(means[0][0], before, before)
            for (left, start), (right, end) in itertools.pairwise(means):
                for column in range(left + 1, right + 1):
                    share = (column - left) / (right - left)
                    here = end if column == right else start + (end - start) * share
                    yield from self._fall(column, before, here)
                    before = here

    def _fall(self, column: int, start: float, end: float) -> Iterator[tuple[int, int]]:
        """From the height where the column before ended, so that lines have no holes."""
        if max(start, end) < -0.5:  # all of it above the top
            return
        first, last = self._inside(start), self._inside(end)
        step = 1 if last >= first else -1
        yield from ((column, row) for row in range(first + step, last, step))
        if end >= -0.5:
            yield column, last


def _stretches(curve: Sequence[PlotPoint]) -> Iterator[Sequence[PlotPoint]]:
    """The parts of a curve between its gaps."""
    if not curve:
        return
    steps = [after.x - before.x for before, after in itertools.pairwise(curve)]
    usual = statistics.median([step for step in steps if step] or [math.inf])
    begin = 0
    for index, step in enumerate(steps, start=1):
        if step > 3 * usual:
            yield curve[begin:index]
            begin = index
    yield curve[begin:]


def _range(curves: Sequence[Sequence[PlotPoint]]) -> tuple[float, float, bool]:
    """Bottom and top of the y axis, and whether values are above it."""
    ordered = [sorted(point.y for point in curve) for curve in curves if curve]
    low = min(values[0] for values in ordered)
    high = max(values[-1] for values in ordered)
    # The first losses of a run are several times the later ones: one in ten may be left out.
    most = max(values[-1 - len(values) // 10] for values in ordered)
    is_cut = high - low > 2 * (most - low) and most > low
    if is_cut:
        high = most
    size = max(1.0, abs(high))
    if high - low < 1e-6 * size:
        return low - 0.05 * size, high + 0.05 * size, False
    return low, high, is_cut


def _x_axis(scale: _Scale, *, columns: int, margin: int) -> list[Text]:
    line, numbers = ["─"] * columns, " " * (margin + 1)
    for tick, _ in ticks(0.0, scale.right, at_most=max(2, columns // 10)):
        cell = scale.column(tick) // scale.across
        number = short_number(tick)
        # Centred below its mark, but inside the width.
        start = min(margin + 2 + cell - len(number) // 2, margin + 2 + columns - len(number))
        if start > len(numbers):
            numbers = f"{numbers:<{start}}{number}"
            line[cell] = "┴"
    return [Text(f"{' ' * (margin + 1)}└{''.join(line)}"), Text(numbers)]


def _cut(text: str, width: int) -> Text:
    line = Text(text)
    line.truncate(max(width, 0), overflow="ellipsis")
    return line
