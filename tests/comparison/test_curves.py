from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqzoo.comparison.curves import SEVERAL, Series, draw_curves

Points = list[tuple[float, float]]

steps = st.integers(0, 2**53).map(float)
losses = st.floats(0, 1e100) | st.floats(0, 8)
curves = st.lists(st.tuples(steps, losses), max_size=30)


def drawn(*curves: Points, width: int = 60, height: int = 10, letters: bool = True) -> list[str]:
    series = [Series(letter, "red", curve) for letter, curve in zip("ABCD", curves, strict=False)]
    text = draw_curves(series, title="loss", width=width, height=height, letters=letters)
    return text.plain.split("\n")


def cells(lines: list[str]) -> list[str]:
    """The text to the right of the y axis, row by row."""
    return [re.split("[│┤]", line, maxsplit=1)[1] for line in lines if re.search("[│┤]", line)]


def columns(lines: list[str]) -> int:
    """Of the plot: as many as the x axis is long."""
    (axis,) = [line for line in lines if "└" in line]
    return len(axis.split("└")[1])


def dots(lines: list[str]) -> set[tuple[int, int]]:
    """(column, row from the top) of every braille dot, by the order of the Unicode standard."""
    order = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    found = set()
    for row, line in enumerate(cells(lines)):
        for column, character in enumerate(line):
            code = ord(character) - 0x2800
            if 0 < code < 256:
                for bit, (across, down) in enumerate(order):
                    if code >> bit & 1:
                        found.add((2 * column + across, 4 * row + down))
    return found


@pytest.mark.parametrize("letters", [True, False])
def test_known_points_stand_where_arithmetic_puts_them(letters: bool) -> None:
    # Far apart and each a stretch of its own would be joined; so one curve for each point.
    points = [(100.0, 0.0), (50.0, 1.0), (25.0, 4.0), (0.0, 5.0)]
    lines = drawn(*([point] for point in points), height=11, letters=letters)
    width = columns(lines)
    for letter, (x, y) in zip("ABCD", points, strict=True):
        if letters:
            column, row = round(x / 100 * (width - 1)), round((5 - y) / 5 * 10)
            assert cells(lines)[row][column] == letter
        else:
            assert (round(x / 100 * (2 * width - 1)), round((5 - y) / 5 * 43)) in dots(lines)
    if not letters:
        assert len(dots(lines)) == len(points)


def test_a_line_joins_its_points_without_holes() -> None:
    found = dots(drawn([(0.0, 0.0), (50.0, 3.0), (100.0, 1.0)], letters=False))
    seen = {min(found)}
    reached = list(seen)
    while reached:
        column, row = reached.pop()
        near = {(column + i, row + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & found - seen
        seen |= near
        reached += near
    assert seen == found


def test_a_falling_curve_falls_in_every_column() -> None:
    lines = cells(drawn([(float(x), 100.0 - x) for x in range(0, 101, 10)]))
    tops = [
        next(row for row, line in enumerate(lines) if line[column : column + 1] == "A")
        for column in range(max(map(len, lines)))
    ]
    assert tops == sorted(tops)
    assert (tops[0], tops[-1]) == (0, len(lines) - 1)


def test_many_points_of_one_column_are_their_mean() -> None:
    # A zigzag of 0 and 2 around 1, and far points that set the range.
    zigzag = [(float(x), float(x % 2 * 2)) for x in range(10_000)]
    found = dots(drawn(zigzag, [(0.0, 0.0)], [(0.0, 2.0)], letters=False))
    rows = {row for column, row in found if column > 2}
    assert rows <= {19, 20}


def test_a_gap_stays_open() -> None:
    lines = cells(drawn([(x, 1.0) for x in (0.0, 1.0, 2.0, 3.0, 50.0, 51.0, 52.0)]))
    (line,) = [line for line in lines if "A" in line]
    assert re.fullmatch(r"A+ {30,}A+", line)


def test_a_short_run_ends_early_beside_a_long_one() -> None:
    short, long = [(0.0, 2.0), (10.0, 1.0)], [(0.0, 2.0), (100.0, 0.0)]
    lines = cells(drawn(short, long))
    assert max(line.rfind("A") for line in lines) == pytest.approx(5.5, abs=1)
    assert max(line.rfind("B") for line in lines) > 50


def test_every_curve_has_its_letter_with_and_without_colour() -> None:
    same: Points = [(0.0, 2.0), (10.0, 1.0)]
    ends = "\n".join(cells(drawn(same, same, same, letters=False)))
    assert "ABC" in ends
    assert SEVERAL in "\n".join(cells(drawn(same, same)))


def test_a_constant_has_an_axis_and_one_row() -> None:
    lines = drawn([(0.0, 2.5), (10.0, 2.5)])
    assert sum("A" in line for line in cells(lines)) == 1
    assert any(line.startswith("2.5") for line in lines)


def test_a_few_high_values_are_cut_and_the_title_says_so() -> None:
    falling = [(float(x), 8.0 if x < 3 else 3.0 - x / 100) for x in range(100)]
    lines = drawn(falling)
    assert "cut off" in lines[0]
    assert not any(line.startswith(("4", "5", "6", "8")) for line in lines)
    assert "cut off" not in drawn(falling[3:])[0]


def test_numbers_on_the_axes_name_their_place() -> None:
    lines = drawn([(0.0, 0.0), (400.0, 10.0)], height=11)
    rows = {float(line.split("┤")[0]): row for row, line in enumerate(lines[1:]) if "┤" in line}
    assert len(rows) >= 3
    for number, row in rows.items():
        assert row == pytest.approx((10 - number), abs=0.5)
    (axis,) = [line for line in lines if "└" in line]
    numbers = re.finditer(r"\S+", lines[-1])
    for written, tick in zip(numbers, re.finditer("┴", axis), strict=True):
        place = float(written.group()) / 400 * (columns(lines) - 1) + axis.index("└") + 1
        assert tick.start() == pytest.approx(place, abs=0.5)
        assert written.start() - 1 <= tick.start() <= written.end()


@given(
    st.lists(curves, min_size=1, max_size=4), st.integers(1, 130), st.integers(3, 20), st.booleans()
)
@example([[(0.0, 1e9), (1e9, 0.0)]] * 4, 40, 10, False)
@example([[(0.0, 0.0)], []], 80, 10, True)
@example([[(5.0, 1e100)]], 80, 10, True)
def test_no_line_is_longer_than_the_width(
    curves: list[Points], width: int, height: int, letters: bool
) -> None:
    lines = drawn(*curves, width=width, height=height, letters=letters)
    assert max(map(len, lines)) <= width
    assert len(lines) in (1, height + 3)


def test_nothing_to_draw_is_reported() -> None:
    assert drawn([], []) == ["loss: no points"]
    assert drawn([(0.0, 1.0)], width=12) == ["loss: no ro…"]
