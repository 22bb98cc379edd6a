"""Curves as SVG in a page: readable without script, with readings under the pointer with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from seqzoo.pages.axes import placed_apart, range_shown, short_number, ticks
from seqzoo.terminal.characters import one_line

__all__ = ["Curve", "chart", "legend"]

_WIDTH, _HEIGHT = 520, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 96, 12, 44
_COLOURS = 6
_MAX_POINTS = 240
_LABEL_GAP = 0.055


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
) -> Markup:
    """An SVG; empty where no curve has a point. rungs: names and values of baselines.

    The x axis begins at 0. A curve of one point is a dot. decimals: of a reading.
    """
    drawn = [curve for curve in curves if curve.points]
    if not drawn:
        return Markup("")
    values = [[y for _, y in curve.points] for curve in drawn]
    noisy = [each for each, curve in zip(values, drawn, strict=True) if curve.is_thin]
    exact = [each for each, curve in zip(values, drawn, strict=True) if not curve.is_thin]
    low, high = range_shown(exact, noisy, [value for _, value in rungs])
    frame = _Frame(max(x for curve in drawn for x, _ in curve.points) or 1.0, low, high)
    parts = [*_axes(frame, x_name, y_name), *_rungs(frame, rungs)]
    parts += [_drawn(frame, curve) for curve in drawn]
    data = {
        "left": _LEFT, "right": frame.right, "top": _TOP, "bottom": frame.bottom,
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

    def x(self, value: float) -> float:
        return _LEFT + (self.right - _LEFT) * value / self.most

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.bottom - (self.bottom - _TOP) * share


def _axes(frame: _Frame, x_name: str, y_name: str) -> Iterator[str]:
    for value, text in ticks(frame.low, frame.high, at_most=6):
        y = frame.y(value)
        yield Markup(
            '<line class="axis" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
            '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(_LEFT, frame.right, y, y, _LEFT - 6, y + 4, text)
    for value, _ in ticks(0.0, frame.most, at_most=5):
        yield Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            frame.x(value), frame.bottom + 16, short_number(value)
        )
    yield Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
        (_LEFT + frame.right) / 2, _HEIGHT - 8, x_name
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
            _LEFT, frame.right, y, y, frame.right, frame.right + 8, y, label,
            frame.right + 11, label + 4, one_line(name),
        )  # fmt: skip


def _drawn(frame: _Frame, curve: Curve) -> Markup:
    points = [(frame.x(x), frame.y(y)) for x, y in _thinned(curve.points)]
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


def _thinned(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """At most _MAX_POINTS: the mean of as many neighbours as make one; the ends stay."""
    size = math.ceil(len(points) / _MAX_POINTS)
    if size == 1:
        yield from points
        return
    yield points[0]
    for start in range(1, len(points) - 1, size):
        near = points[start : min(start + size, len(points) - 1)]
        yield tuple(sum(values) / len(near) for values in zip(*near, strict=True))
    yield points[-1]


def _summary(curves: Sequence[Curve], decimals: int) -> str:
    """What the chart shows, for those who do not see it."""
    return "; ".join(
        f"{one_line(curve.label)} from {curve.points[0][1]:.{decimals}f} to "
        f"{curve.points[-1][1]:.{decimals}f}"
        for curve in curves
    )
