"""The `search` of a grid file: settings that are drawn from ranges instead of listed.

The settings depend on the section alone. So a search continues after a kill like a grid, and with
more members it keeps those that it had.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from seqzoo.recipes.sections import Section

__all__ = ["RangeSection", "SearchSection", "drawn_settings"]

_DRAWS_PER_MEMBER = 100
_DIGITS = 3


class RangeSection(Section):
    """What one setting is drawn from: an interval, or a list of values."""

    low: int | float | None = Field(
        default=None, description="the smallest value; whole if both ends are whole numbers"
    )
    high: int | float | None = Field(default=None, description="the largest value")
    log: bool = Field(
        default=False, description="whether each power of ten is drawn as often as the next one"
    )
    step: int | None = Field(
        default=None, ge=1, description="distance of the whole values, counted from low"
    )
    values: Annotated[tuple[Any, ...], Field(min_length=1)] | None = Field(
        default=None, description="the values, instead of an interval"
    )

    @model_validator(mode="after")
    def _is_one(self) -> RangeSection:
        if self.values is not None:
            if self.low is not None or self.high is not None:
                raise ValueError("give either low and high, or values")
            if self.log or self.step is not None:
                raise ValueError("log and step belong to low and high, not to values")
        elif self.low is None or self.high is None:
            raise ValueError("give low and high, or values")
        elif not self.low < self.high:
            raise ValueError(f"low is {self.low}, expected less than high, which is {self.high}")
        elif self.log and self.low <= 0:
            raise ValueError(f"low is {self.low}, expected more than 0 where log is true")
        elif self.step is not None and (self.log or not self.is_whole):
            raise ValueError("step is for whole numbers without log")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether the values of the interval are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def value(self, place: float) -> Any:
        """The value at a place from 0 to below 1."""
        if self.values is not None:
            return self.values[int(place * len(self.values))]
        assert self.low is not None
        assert self.high is not None
        low, high = self.low, self.high
        if self.is_whole and not self.log:
            step = self.step or 1
            count = int(high - low) // step + 1
            return int(low) + step * int(place * count)
        if self.log:
            # A whole number has the share of the interval that rounds to it.
            wide = 0.5 if self.is_whole else 0.0
            start, end = math.log(low - wide), math.log(high + wide)
            found = math.exp(start + place * (end - start))
        else:
            found = low + place * (high - low)
        return self.short(found)

    def short(self, found: float) -> int | float:
        """A number of the interval as it is used: whole, or short enough to be read."""
        assert self.low is not None
        assert self.high is not None
        low, high = self.low, self.high
        if self.is_whole:
            rounded: int | float = round(found)
        elif self.log and high >= 2 * low:
            rounded = float(f"{found:.{_DIGITS}g}")
        else:  # a thousandth of the interval, or finer
            rounded = round(found, _DIGITS - math.floor(math.log10(high - low)))
        return min(max(rounded, low), high)


class SearchSection(Section):
    """Settings that are drawn; each is a member, or one with each of the seeds."""

    method: Literal["random", "quasi_random", "optuna"] = Field(
        default="quasi_random",
        description="random: each for itself; quasi_random: evenly spread (scrambled Sobol "
        "points); optuna: near the best ones so far, by Optuna",
    )
    members: int = Field(ge=1, description="how many settings are drawn")
    seed: int = Field(default=0, ge=0, description="of the drawing")
    ranges: dict[str, RangeSection] = Field(description="what each setting is drawn from")

    @model_validator(mode="after")
    def _has_some(self) -> SearchSection:
        if not self.ranges:
            raise ValueError("ranges is empty; give the range of one setting or more")
        return self


def drawn_settings(section: SearchSection) -> list[dict[str, Any]]:
    """The settings, all different; fewer than `members` where the ranges have no more."""
    found: dict[str, dict[str, Any]] = {}
    for point in _points(section):
        row = {
            key: interval.value(place)
            for (key, interval), place in zip(section.ranges.items(), point, strict=True)
        }
        found.setdefault(repr(row), row)
        if len(found) == section.members:
            break
    return list(found.values())


def _points(section: SearchSection) -> Iterator[list[float]]:
    """Points of the unit cube; the first ones do not depend on how many are wanted."""
    size = len(section.ranges)
    most = _DRAWS_PER_MEMBER * section.members
    if section.method == "random":
        for number in range(most):
            yield np.random.default_rng([section.seed, number]).random(size).tolist()
        return
    import torch

    engine = torch.quasirandom.SobolEngine(size, scramble=True, seed=section.seed)
    for _ in range(most):
        (point,) = engine.draw(1, dtype=torch.float64).tolist()
        yield point
