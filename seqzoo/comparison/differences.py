"""By how much scores differ, and whether that is more than the noise of the split.

A difference is taken only between scores of the same bytes, read in the same way: static with
static, adaptive with adaptive. Its interval is paired: both scores see the same draws of blocks, so
that what is hard for both cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seqzoo.results.bootstrap import interval, resample
from seqzoo.results.result import ProtocolRecord, Result, SplitScore

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
        """Whether the interval holds 0."""
        return self.interval[0] <= 0 <= self.interval[1]

    @property
    def verdict(self) -> str:
        """E.g. "B is better by 0.169 (0.160 to 0.178)", the interval in brackets."""
        if self.is_tie:
            low, high = (f"{bound:z.3f}".replace("-", "−") for bound in self.interval)
            return f"a tie: the difference is inside the noise of the split ({low} to {high})"
        near, far = sorted(map(abs, self.interval))
        decimals = 3
        while decimals < 6 and not round(near, decimals):
            decimals += 1
        better = self.second if self.bits_per_byte < 0 else self.first
        by, near_said, far_said = (
            f"{number:.{decimals}f}" for number in (abs(self.bits_per_byte), near, far)
        )
        return f"{better} is better by {by} ({near_said} to {far_said})"


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
    """Every run against the first on one split: all static ones, then the adaptive ones.

    An adaptive difference, or why there is none, is there where one of the two has adaptive scores.
    """
    return [
        *_of_kind([_static(result, split) for result in results], letters, adaptive=False),
        *_of_kind([_adaptive(result, split) for result in results], letters, adaptive=True),
    ]


@dataclass(frozen=True)
class _Scored:
    """One score with all that must be equal before it may be subtracted."""

    corpus: str
    sha256: str
    split: str
    protocol: ProtocolRecord
    score: SplitScore | None
    split_name: str


def _static(result: Result, split: str) -> _Scored:
    return _scored(result, split, result.protocol, result.scores.get(split))


def _adaptive(result: Result, split: str) -> _Scored | None:
    record = result.adaptive
    return _scored(result, split, record.protocol, record.scores.get(split)) if record else None


def _scored(
    result: Result, split: str, protocol: ProtocolRecord, score: SplitScore | None
) -> _Scored:
    corpus = result.corpus
    return _Scored(corpus.name, corpus.sha256, result.split, protocol, score, split)


def _of_kind(
    scored: Sequence[_Scored | None], letters: Sequence[str], *, adaptive: bool
) -> list[Difference | NoDifference]:
    first = scored[0]
    found: list[Difference | NoDifference] = []
    for other, letter in zip(scored[1:], letters[1:], strict=True):
        if first is None or other is None:
            if first is not None or other is not None:
                reason = f"{letters[0] if first is None else letter} has no adaptive scores"
                found.append(NoDifference(letters[0], letter, adaptive, reason))
        elif reason := _why_unlike(first, other, letters[0], letter):
            found.append(NoDifference(letters[0], letter, adaptive, reason))
        else:
            assert first.score is not None
            assert other.score is not None
            change = other.score.bits_per_byte - first.score.bits_per_byte
            bounds = _paired_interval(first.score, other.score)
            found.append(Difference(letters[0], letter, adaptive, change, bounds))
    return found


def _paired_interval(first: SplitScore, second: SplitScore) -> tuple[float, float]:
    draws = resample([first.blocks, second.blocks], first.block_sizes)
    return interval(draws[:, 1] - draws[:, 0])


def _why_unlike(first: _Scored, second: _Scored, a: str, b: str) -> str:
    """A sentence that says what forbids a difference; empty where nothing does."""
    differing = []
    if first.sha256 != second.sha256:
        names = [f"{each.corpus} {each.sha256[:8]}" for each in (first, second)]
        differing.append(f"corpus ({' and '.join(names)})")
    if first.split != second.split:
        differing.append(f"split ({first.split} and {second.split})")
    if first.protocol != second.protocol:
        names = [first.protocol.name, second.protocol.name]
        shown = f" ({' and '.join(names)})" if names[0] != names[1] else ""
        differing.append(f"protocol{shown}")
    if differing:
        return f"{a} and {b} differ in {', '.join(differing)}, so their scores cannot be subtracted"
    for each, letter in ((first, a), (second, b)):
        if each.score is None:
            return f"{letter} has no score for {each.split_name.replace('_', '-')}"
        if not each.score.blocks:
            return f"{letter} keeps no scores by block; score it again with seqzoo eval"
    assert first.score is not None
    assert second.score is not None
    for said, sizes in (
        ("bytes of the split", (first.score.bytes, second.score.bytes)),
        ("size of blocks", (first.score.block_bytes, second.score.block_bytes)),
    ):
        if sizes[0] != sizes[1]:
            return f"{a} and {b} differ in {said} ({sizes[0]:,} and {sizes[1]:,})"
    return ""
