"""Curves as SVG in a page: readable without script, with readings under the pointer with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from seqzoo.pages.axes import placed_apart, range_shown, short_number, ticks
from seqzoo.terminal.characters import one_line

__all__ = ["Curve", "chart", "legend"]

_WIDTH, _HEIGHT = 520, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 96, 12, 44
_COLOURS = 6
_MAX_POINTS = 240
_LABEL_GAP = 0.055
_SHORT_LABEL, _DIGIT = 3, 8
"""Characters of a tick's label for which there is room, and the width of a further one."""


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    points: (x, y), finite, x at least 0 and not decreasing. number: of the run, for its colour.
    is_thin: of training, which is noisy: its highest values may be above the top.
    """

    label: str
    points: Sequence[tuple[float, float]]
    number: int = 0
    is_thin: bool = False

    @property
    def look(self) -> str:
        """Its classes in the style of the pages."""
        dash = self.number // _COLOURS
        looks = [f"c{self.number % _COLOURS}", "thin" if self.is_thin else ""]
        looks.append(f"dash{dash}" if dash else "")
        return " ".join(filter(None, looks))


def chart(
    curves: Sequence[Curve],
    *,
    title: str,
    x_name: str,
    y_name: str,
    rungs: Sequence[tuple[str, float]] = (),
    decimals: int = 3,
    most: float = 0.0,
    least: float = 0.1,
    limits: tuple[float, float] = (0.0, math.inf),
) -> Markup:
    """An SVG; empty where no curve has a point. rungs: names and values of baselines.

    The x axis begins at 0 and ends at the last point, or at `most` if that is more. A curve of one
    point is a dot. decimals: of a reading. least: the smallest height of the y axis, which never
    leaves the limits.
    """
    drawn = [curve for curve in curves if curve.points]
    if not drawn:
        return Markup("")
    values = [[y for _, y in curve.points] for curve in drawn]
    noisy = [each for each, curve in zip(values, drawn, strict=True) if curve.is_thin]
    exact = [each for each, curve in zip(values, drawn, strict=True) if not curve.is_thin]
    low, high = range_shown(exact, noisy, [value for _, value in rungs], least=least)
    low, high = max(low, limits[0]), min(high, limits[1])
    last = max(x for curve in drawn for x, _ in curve.points)
    frame = _Frame(max(last, most) or 1.0, low, high)
    parts = [*_axes(frame, x_name, y_name), *_rungs(frame, rungs)]
    parts += [_drawn(frame, curve) for curve in drawn]
    data = {
        "left": frame.left, "right": frame.right, "top": _TOP, "bottom": frame.bottom,
        "xmax": f"{frame.most:.6g}", "low": f"{low:.6g}", "high": f"{high:.6g}",
        "xname": x_name, "decimals": decimals,
    }  # fmt: skip
    attributes = Markup(" ").join(
        Markup('data-{}="{}"').format(name, value) for name, value in data.items()
    )
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" tabindex="0" aria-label="{}" {}>{}'
        '<line class="cursor" y1="{}" y2="{}" visibility="hidden"/></svg>'
    ).format(
        _WIDTH, _HEIGHT, f"{title}: {_summary(drawn, decimals)}", attributes,
        Markup("").join(parts), _TOP, frame.bottom,
    )  # fmt: skip


def legend(curves: Sequence[Curve]) -> Markup:
    """A list of the curves with their lines."""
    items = [
        Markup(
            '<li><svg viewBox="0 0 32 10" aria-hidden="true"><line x1="0" x2="32" y1="5" y2="5" '
            'class="curve {}"/></svg>{}</li>'
        ).format(curve.look, one_line(curve.label))
        for curve in curves
        if curve.points
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


class _Frame:
    """Where values are in the drawing. most: the highest x."""

    right = _WIDTH - _RIGHT
    bottom = _HEIGHT - _BOTTOM

    def __init__(self, most: float, low: float, high: float) -> None:
        self.most, self.low, self.high = most, low, high
        self.ticks = ticks(low, high, at_most=6)
        longest = max((len(text) for _, text in self.ticks), default=0)
        self.left = _LEFT + _DIGIT * max(0, longest - _SHORT_LABEL)

    def x(self, value: float) -> float:
        return self.left + (self.right - self.left) * value / self.most

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.bottom - (self.bottom - _TOP) * share


def _axes(frame: _Frame, x_name: str, y_name: str) -> Iterator[str]:
    for value, text in frame.ticks:
        y = frame.y(value)
        yield Markup(
            '<line class="axis" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
            '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(frame.left, frame.right, y, y, frame.left - 6, y + 4, text)
    for value, _ in ticks(0.0, frame.most, at_most=5):
        yield Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            frame.x(value), frame.bottom + 16, short_number(value)
        )
    yield Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
        (frame.left + frame.right) / 2, _HEIGHT - 8, x_name
    )
    middle = (_TOP + frame.bottom) / 2
    yield Markup(
        '<text x="11" y="{:.1f}" text-anchor="middle" transform="rotate(-90 11 {:.1f})">{}</text>'
    ).format(middle, middle, y_name)


def _rungs(frame: _Frame, rungs: Sequence[tuple[str, float]]) -> Iterator[str]:
    shown = [(name, value) for name, value in rungs if frame.low <= value <= frame.high]
    height = frame.high - frame.low
    for name, value, place in placed_apart(shown, frame.low, height, gap=_LABEL_GAP):
        y, label = frame.y(value), frame.y(place)
        yield Markup(
            '<line class="rung" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
            '<line class="leader" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
            '<text x="{}" y="{:.1f}">{}</text>'
        ).format(
            frame.left, frame.right, y, y, frame.right, frame.right + 8, y, label,
            frame.right + 11, label + 4, one_line(name),
        )  # fmt: skip


def _drawn(frame: _Frame, curve: Curve) -> Markup:
    points = [(frame.x(x), frame.y(y)) for x, y in _thinned(curve)]
    text = " ".join(f"{x:.1f},{y:.3f}" for x, y in points)
    line = Markup('<polyline class="curve {}" data-label="{}" points="{}"/>').format(
        curve.look, one_line(curve.label), text
    )
    if len(points) == 1 or (not curve.is_thin and len(points) <= _MAX_DOTS):
        dots = (
            Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(
                f"c{curve.number % _COLOURS}", x, y
            )
            for x, y in points
        )
        return line + Markup("").join(dots)
    return line


_MAX_DOTS = 40


def _thinned(curve: Curve) -> Iterator[tuple[float, float]]:
    """At most _MAX_POINTS: the mean of as many neighbours as make one; the ends stay.

    The last value of a noisy curve would look like a jump, so a mean stands in its place.
    """
    points = curve.points
    if len(points) <= _MAX_POINTS:
        yield from points
        return
    yield points[0]
    inner = points[1:] if curve.is_thin else points[1:-1]
    edges = [number * len(inner) // (_MAX_POINTS - 2) for number in range(_MAX_POINTS - 1)]
    for start, stop in pairwise(edges):
        near = inner[start:stop]
        x, y = (sum(values) / len(near) for values in zip(*near, strict=True))
        yield points[-1][0] if curve.is_thin and stop == len(inner) else x, y
    if not curve.is_thin:
        yield points[-1]


def _summary(curves: Sequence[Curve], decimals: int) -> str:
    """What the chart shows, for those who do not see it."""
    return "; ".join(
        f"{one_line(curve.label)} from {curve.points[0][1]:.{decimals}f} to "
        f"{curve.points[-1][1]:.{decimals}f}"
        for curve in curves
    )
