"""Whether a repeated training gave the result of its card: the same bits, or scores within noise.

Two trainings that differ in one last bit end as far from each other as two seeds do (Summers and
Dinneen 2021, arXiv:2103.04514), so what decides is how much trainings of the recipe differ by
chance. With S scores of the card and R repetitions, all of one recipe if it was reproduced, the
standard deviation s over both groups has S + R - 2 degrees of freedom. The difference of the two
means then has a Student's t with these degrees of freedom, times s sqrt(1/S + 1/R). To it comes
the noise of the text: both means are resampled over the same blocks of the test part. The 95 %
interval of the difference contains 0, or it does not.

With S = R = 1 nothing says how much trainings differ. Where the noise of the text alone explains
the difference, that is enough; where it does not, nothing is decided, because another seed could
differ as much. No threshold is chosen anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from seqzoo.cards.card import Card
from seqzoo.results.bootstrap import FEWEST_BLOCKS, interval, resample
from seqzoo.results.comparable import why_not_comparable
from seqzoo.results.result import Result, SplitScore
from seqzoo.results.students_t import students_t

__all__ = ["Difference", "Outcome", "Verdict", "difference_of", "outcome"]

_TOLERANCE = 1e-6
"""Relative, of scores of the same weights: another processor adds in another order."""


class Verdict(StrEnum):
    """What came out."""

    SAME_BITS = "the same bits"
    WITHIN_NOISE = "within noise"
    NOT_REPRODUCED = "not reproduced"
    NOT_DECIDED = "not decided"

    @property
    def is_finding(self) -> bool:
        """Whether the result of the card was not confirmed."""
        return self in (Verdict.NOT_REPRODUCED, Verdict.NOT_DECIDED)


@dataclass(frozen=True)
class Difference:
    """Bits per byte on test of the repetitions minus those of the card, means over seeds.

    same_seed: the difference of the two scores with the seed of the card alone. interval: 95 %;
    None for a text that is too short for one. card_seeds, own_seeds: how many scores each mean is
    of. spread: their standard deviation within the groups; None for one each.
    """

    bits_per_byte: float
    same_seed: float
    interval: tuple[float, float] | None
    card_seeds: int
    own_seeds: int
    spread: float | None

    @property
    def contains_zero(self) -> bool:
        """Whether the difference can be noise."""
        return self.interval is not None and self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class Outcome:
    """The verdict, a sentence that says why, and the difference where the bits are not the same."""

    verdict: Verdict
    reason: str
    difference: Difference | None = None


def outcome(card: Card, results: Sequence[Result], *, changed: str = "") -> Outcome:
    """The outcome of one or more repetitions; the first has the seed of the card.

    changed: why the recipe of the card is not that of its scores; "" where it is.
    """
    own = results[0]
    if own.weights_sha256 == card.result.weights_sha256:
        if difference := next(_differences(card.result, own), None):
            reason = f"the weights are the same, and {difference} as in the card"
            return Outcome(Verdict.NOT_REPRODUCED, reason)
        return Outcome(Verdict.SAME_BITS, "the weights and all scores are those of the card")
    if reason := why_not_comparable(card.result, own, "test", names=("the card", "the run")):
        return Outcome(Verdict.NOT_REPRODUCED, reason)
    found = difference_of(card.tests, [each.scores["test"] for each in results])
    if found.contains_zero:
        return Outcome(Verdict.WITHIN_NOISE, "the interval contains 0", found)
    if changed:
        return Outcome(Verdict.NOT_REPRODUCED, changed, found)
    if found.interval is None:
        reason = "the test part is too short for an interval"
        return Outcome(Verdict.NOT_DECIDED, reason, found)
    if found.spread is None:
        reason = (
            "the difference is more than the noise of the text, and one training each does not "
            "show how much trainings differ by chance"
        )
        return Outcome(Verdict.NOT_DECIDED, reason, found)
    return Outcome(Verdict.NOT_REPRODUCED, "the interval does not contain 0", found)


def difference_of(card: Sequence[SplitScore], own: Sequence[SplitScore]) -> Difference:
    """The difference of two groups of scores of the same bytes, with the interval that decides."""
    sizes = np.array(card[0].block_sizes)
    groups = [np.array([score.blocks for score in scores]) for scores in (card, own)]
    totals = [group.sum(axis=1) / sizes.sum() for group in groups]
    draws = resample([group.mean(axis=0) for group in groups], sizes)
    differences = draws[:, 1] - draws[:, 0]
    degrees, spread = len(card) + len(own) - 2, None
    if degrees:
        spread = _spread(totals, degrees)
        error = spread * math.sqrt(1 / len(card) + 1 / len(own))
        differences += error * students_t(degrees, len(differences), np.concatenate(totals))
    return Difference(
        bits_per_byte=float(totals[1].mean() - totals[0].mean()),
        same_seed=float(totals[1][0] - totals[0][0]),
        interval=interval(differences) if len(sizes) >= FEWEST_BLOCKS else None,
        card_seeds=len(card),
        own_seeds=len(own),
        spread=spread,
    )


def _spread(groups: Sequence[npt.NDArray[np.float64]], degrees: int) -> float:
    """The standard deviation within the groups."""
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return math.sqrt(squares / degrees)


_FACTS = ("architecture", "tokenizer", "parameters", "step", "steps", "training_bytes", "split")


def _differences(card: Result, own: Result) -> Iterator[str]:
    """What a repetition with the same weights has otherwise than its card, in words."""
    for name in _FACTS:
        theirs, ours = getattr(card, name), getattr(own, name)
        if theirs != ours:
            yield f"{name.replace('_', ' ')} is {ours}, not {theirs}"
    if card.corpus.bytes != own.corpus.bytes:
        yield f"the corpus has {own.corpus.bytes:,} bytes, not {card.corpus.bytes:,}"
    if card.protocol.fields != own.protocol.fields:
        yield f"they were scored {own.protocol.words}, not {card.protocol.words}"
    for kind in ("", " while learning"):
        theirs, ours = (_scores(each, learnt=bool(kind)) for each in (card, own))
        for split, score in theirs.items():
            where = f"on {split.replace('_', '-')}{kind}"
            found = ours.get(split)
            if found is None:
                yield f"they have no score {where}, not {score.bits_per_byte:.6f}"
            elif not math.isclose(score.bits_per_byte, found.bits_per_byte, rel_tol=_TOLERANCE):
                yield (
                    f"their score {where} is {found.bits_per_byte:.6f}, not "
                    f"{score.bits_per_byte:.6f}"
                )
            elif not _has_equal_parts(score, found):
                yield f"accuracy, interval or blocks of their score {where} are others, not those"


def _scores(result: Result, *, learnt: bool) -> Mapping[str, SplitScore]:
    if learnt:
        return result.adaptive.scores if result.adaptive else {}
    return result.scores


def _has_equal_parts(one: SplitScore, other: SplitScore) -> bool:
    """Whether two equal scores also are the same sums of the same blocks, but for rounding."""
    return (
        one.block_sizes == other.block_sizes
        # Two tokens can be equally probable but for rounding.
        and abs(one.accuracy - other.accuracy) * one.bytes < 2
        and (not one.blocks or np.allclose(one.blocks, other.blocks, rtol=_TOLERANCE, atol=1e-3))
        and (one.interval is None) == (other.interval is None)
        and np.allclose(one.interval or 0, other.interval or 0, rtol=1e-4)
    )
