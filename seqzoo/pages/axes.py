"""Axes of charts and pictures: round numbers, the range that is shown, labels that do not meet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

__all__ = ["placed_apart", "range_shown", "short_number", "ticks"]


def ticks(low: float, high: float, *, at_most: int) -> list[tuple[float, str]]:
    """Round numbers between two, and how they are written: steps of 1, 2 or 5 times 10**k."""
    decade = 10.0 ** math.floor(math.log10((high - low) / at_most))
    step = next(
        decade * factor for factor in (1, 2, 5, 10, 20) if decade * factor * at_most >= high - low
    )
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    numbers = [step * count for count in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [(number, f"{number:.{decimals}f}") for number in numbers]


def short_number(number: float) -> str:
    """1500000 to 1.5M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def range_shown(
    exact: Sequence[Sequence[float]],
    noisy: Sequence[Sequence[float]],
    rungs: Sequence[float],
    *,
    least: float = 0.1,
) -> tuple[float, float]:
    """Bottom and top of an axis of losses; at least one curve has a value.

    exact: curves that are visible as a whole. noisy: those whose highest tenth may be above the
    top, because the first losses of a run are several times the later ones. rungs: baselines; the
    nearest below all curves is visible. least: the height for values that are all the same.
    """
    curves = [values for values in (*exact, *noisy) if values]
    low = min(map(min, curves))
    tops = [max(values) for values in exact if values]
    tops += [sorted(values)[_kept(len(values))] for values in noisy if values]
    high = max(tops)
    low = max((value for value in rungs if value < low), default=low)
    if (missing := max(least, 1e-6 * abs(high)) - (high - low)) > 0:
        low, high = low - missing / 2, high + missing / 2
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def _kept(count: int) -> int:
    """The index of the highest of so many values that has to be visible."""
    return max(0, count - 1 - math.ceil(count / 10))


def placed_apart(
    values: Sequence[tuple[str, float]], low: float, height: float, *, gap: float = 0.04
) -> Iterator[tuple[str, float, float]]:
    """Each name and value, the lowest first, with a place for its label that overlaps no other.

    gap: between two labels, as a share of the height.
    """
    gap *= height
    ordered = sorted(values, key=lambda each: each[1])
    # As close to their values as possible, in the sense of least squares: labels that would meet
    # form a group around the mean of its values.
    groups: list[tuple[float, int]] = []  # the mean of (value - number * gap), and its labels
    for number, (_, value) in enumerate(ordered):
        mean, count = value - number * gap, 1
        while groups and groups[-1][0] > mean:
            before, others = groups.pop()
            mean, count = (before * others + mean * count) / (others + count), others + count
        groups.append((mean, count))
    places = [mean for mean, count in groups for _ in range(count)]
    places = [max(place, low) + number * gap for number, place in enumerate(places)]
    most = low + height
    for index in reversed(range(len(places))):
        places[index] = min(places[index], most)
        most = places[index] - gap
    for (name, value), place in zip(ordered, places, strict=True):
        yield name, value, place
