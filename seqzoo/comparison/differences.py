"""By how much scores differ, and whether that is more than the noise of the split.

A difference is taken only between comparable scores (see seqzoo.results.comparable), static with
static and adaptive with adaptive. Its interval is paired: both scores see the same draws of blocks,
so that what is hard for both cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seqzoo.results.bootstrap import FEWEST_BLOCKS, interval, resample
from seqzoo.results.comparable import why_not_comparable
from seqzoo.results.result import Result, SplitScore

__all__ = ["Difference", "NoDifference", "differences"]


@dataclass(frozen=True)
class Difference:
    """Bits per byte of `second` minus `first`, which are letters of runs.

    interval: its 95 % bootstrap interval, paired, over blocks.
    """

    first: str
    second: str
    adaptive: bool
    bits_per_byte: float
    interval: tuple[float, float]

    @property
    def is_tie(self) -> bool:
        """Whether the interval contains 0."""
        return self.interval[0] <= 0 <= self.interval[1]

    @property
    def verdict(self) -> str:
        """E.g. "B is better by 0.169 (0.160 to 0.178)", the interval in brackets."""
        if self.is_tie:
            low, high = (f"{bound:z.3f}".replace("-", "−") for bound in self.interval)
            return f"a tie: the difference is within the noise of the split ({low} to {high})"
        near, far = sorted(map(abs, self.interval))
        decimals = 3
        while decimals < 6 and not round(near, decimals):
            decimals += 1
        better = self.second if self.bits_per_byte < 0 else self.first
        by, smallest, largest = (
            f"{number:.{decimals}f}" for number in (abs(self.bits_per_byte), near, far)
        )
        return f"{better} is better by {by} ({smallest} to {largest})"


@dataclass(frozen=True)
class NoDifference:
    """Two runs whose scores may not be subtracted. reason: a sentence that says why."""

    first: str
    second: str
    adaptive: bool
    reason: str


def differences(
    results: Sequence[Result], letters: Sequence[str], split: str
) -> list[Difference | NoDifference]:
    """Every run minus the first on one split: all static ones, then the adaptive ones.

    An adaptive difference, or why there is none, is there where one of the two has adaptive scores.
    """
    return [
        _difference((results[0], other), (letters[0], letter), split, adaptive=adaptive)
        for adaptive in (False, True)
        for other, letter in zip(results[1:], letters[1:], strict=True)
        if not adaptive or results[0].adaptive is not None or other.adaptive is not None
    ]


def _difference(
    pair: tuple[Result, Result], letters: tuple[str, str], split: str, *, adaptive: bool
) -> Difference | NoDifference:
    if reason := why_not_comparable(*pair, split, adaptive=adaptive, names=letters):
        return NoDifference(*letters, adaptive, reason)
    first, second = (_score(result, split, adaptive=adaptive) for result in pair)
    if len(first.blocks) < FEWEST_BLOCKS:
        reason = (
            f"the split has {first.bytes:,} bytes, too few to say whether a difference is more "
            f"than noise"
        )
        return NoDifference(*letters, adaptive, reason)
    change = second.bits_per_byte - first.bits_per_byte
    draws = resample([first.blocks, second.blocks], first.block_sizes)
    return Difference(*letters, adaptive, change, interval(draws[:, 1] - draws[:, 0]))


def _score(result: Result, split: str, *, adaptive: bool) -> SplitScore:
    if not adaptive:
        return result.scores[split]
    assert result.adaptive is not None
    return result.adaptive.scores[split]
