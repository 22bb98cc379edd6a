"""A chart's numbers can be read back from it, also those above its top; names are text."""

from __future__ import annotations

import math
import re

import pytest

from seqzoo.pages.chart import Curve, chart, legend


def read_back(svg: str) -> list[list[tuple[float, float]]]:
    """The points of each curve, as the script of the page computes them."""
    data = dict(re.findall(r'data-(\w+)="([^"]*)"', svg.partition(">")[0]))
    left, right, top, bottom = (float(data[name]) for name in ("left", "right", "top", "bottom"))
    low, high, most = (float(data[name]) for name in ("low", "high", "xmax"))
    curves = []
    for points in re.findall(r'points="([^"]*)"', svg):
        pairs = [tuple(map(float, pair.split(","))) for pair in points.split()]
        curves.append(
            [
                (
                    (x - left) / (right - left) * most,
                    high - (y - top) / (bottom - top) * (high - low),
                )
                for x, y in pairs
            ]
        )
    return curves


def test_every_value_can_be_read_back() -> None:
    noisy = [(float(10 * x), 8.0 if x == 0 else 2 + math.exp(-x / 20)) for x in range(60)]
    exact = [(100.0, 2.345), (590.0, 2.123)]
    svg = str(chart([Curve("a", noisy, 0, True), Curve("b", exact, 1)], title="t", x_name="x",
                    y_name="y"))  # fmt: skip
    first, second = read_back(svg)
    for found, expected in ((first, noisy), (second, exact)):
        assert len(found) == len(expected)
        for (x, y), (true_x, true_y) in zip(found, expected, strict=True):
            assert x == pytest.approx(true_x, abs=1)
            assert y == pytest.approx(true_y, abs=2e-4 * max(1, true_y))


def test_a_long_curve_keeps_its_ends_and_its_mean() -> None:
    points = [(float(x), 2 + math.sin(x)) for x in range(10_000)]
    (found,) = read_back(str(chart([Curve("a", points)], title="t", x_name="x", y_name="y")))
    assert len(found) < 300
    assert found[0][1] == pytest.approx(points[0][1], abs=0.01)
    assert found[-1][0] == pytest.approx(9999, abs=20)
    assert found[-1][1] == pytest.approx(points[-1][1], abs=0.01)


def test_nothing_to_draw_is_nothing() -> None:
    assert chart([Curve("a", [])], title="t", x_name="x", y_name="y") == ""
    assert "<li>" not in legend([Curve("a", [])])


def test_a_name_is_text() -> None:
    curve = Curve("<script>\n\x1b", [(1.0, 2.0)])
    svg = str(chart([curve], title='"><b>', x_name="<x>", y_name="&", rungs=[("<i>", 2.0)]))
    for markup in ("<script", "<b>", "<x>", "<i>", "\x1b", "& "):
        assert markup not in svg + str(legend([curve]))


def test_looks_of_twenty_six_runs_are_all_different() -> None:
    assert len({Curve("a", [], number).look for number in range(26)}) == 26


def test_a_long_curve_does_not_end_in_its_last_value_alone() -> None:
    points = [(float(x), 2.0 + 0.1 * (-1) ** x) for x in range(1, 10_001)]
    points[-1] = (10_000.0, 1.0)
    ((*_, (x, y)),) = read_back(
        str(chart([Curve("a", points, 0, True)], title="t", x_name="x", y_name="y"))
    )
    assert x == pytest.approx(10_000, rel=1e-3)
    assert y == pytest.approx(2.0, abs=0.05)


def test_equal_shares_have_ticks_that_differ_inside_the_limits() -> None:
    for share in (0.0, 18.2, 100.0):
        svg = str(
            chart([Curve("a", [(1.0, share)])], title="t", x_name="x", y_name="%", least=5.0,
                  limits=(0.0, 100.0))
        )  # fmt: skip
        ticks = re.findall(r'text-anchor="end">([^<]*)<', svg)
        assert len(ticks) > 2
        assert all(0 <= float(tick) <= 100 and len(tick) <= 5 for tick in ticks)
        ((_, y),) = read_back(svg)[0]
        assert y == pytest.approx(share, abs=0.01)


def test_long_ticks_have_room_and_charts_can_share_their_x_axis() -> None:
    narrow, wide = (
        str(chart([Curve("a", [(1.0, 2.0), (5.0, 2.0 + height)])], title="t", x_name="x",
                  y_name="y", least=height, most=9.0))
        for height in (1.0, 0.001)
    )  # fmt: skip
    left = [float(re.search(r'data-left="([^"]*)"', svg)[1]) for svg in (narrow, wide)]  # type: ignore[index]
    assert left[1] > left[0] + 8
    assert read_back(wide)[0][-1][0] == pytest.approx(5.0, rel=1e-3)
    assert 'data-xmax="9"' in wide
