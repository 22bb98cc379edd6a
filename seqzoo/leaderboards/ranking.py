"""Which rows are better than which, as far as one split and a few seeds can show.

What a row's score could have been is a distribution: the bootstrap over the split's blocks, the
same blocks for every row, so that differences are paired; and, where a row has S > 1 seeds with
standard deviation s, an independent s / sqrt(S) times Student's t with S - 1 degrees of freedom
for the seeds that were not run. The difference of two such means is Behrens and Fisher's problem,
and the 95 % interval of the difference decides: a row is better where the interval is below
zero, and a tie where it contains zero. With one seed the spread over seeds is unknown and not
included: the verdict is then about this seed only, and the table shows a question mark.

Every row is compared with every other while there are at most 1,000. Of more, comparing all pairs
would take hours: every row is compared with the best 100, and below these with 150 rows that stand
for their neighbours. The ranks of the best 100 stay exact, and the others are estimates. Of more
than 1,250 rows there are fewer draws, so that they fit into memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqzoo.results.bootstrap import FEWEST_BLOCKS, intervals, resample
from seqzoo.results.students_t import students_t

__all__ = ["NAMED_TIES", "Ranking", "rankings"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

NAMED_TIES = 20
"""How many tied rows a ranking lists: all of them would make the square of the rows."""

_CERTAINTY = 0.975  # of both sides: the 95 % interval of the difference is then below zero
_FEW = 1000
_BEST, _STAND_INS = 100, 150
_DRAWS = range(200, 2001)
_SORTED_AT_ONCE = 1 << 18
_MOST_DRAWN = 2_500_000  # draws times rows; 8 bytes each


@dataclass(frozen=True)
class Ranking:
    """The rank of one row among all, and what it is based on.

    bits_per_byte: mean over its seeds. seeds: how many. spread: their standard deviation; None
    for one seed, of which it is unknown. interval: 95 %, over blocks and seeds; None for too few
    blocks, where all rows tie. rank: one more than the number of rows that are certainly better.
    num_ties: how many rows are neither certainly better nor certainly worse. ties: indices of the
    nearest of these, in the order of their scores, at most `NAMED_TIES`. is_shared: one of all
    these has the same rank.
    """

    bits_per_byte: float
    seeds: int
    spread: float | None
    interval: tuple[float, float] | None
    rank: int
    num_ties: int
    ties: tuple[int, ...]
    is_shared: bool


def rankings(
    scores: Sequence[Floats], block_bytes: npt.ArrayLike, *, seed: int = 0
) -> list[Ranking]:
    """The ranking of each of M rows.

    scores: for each row (S, N), the bits of each seed on each of N blocks. block_bytes: (N,).
    """
    if not scores:
        return []
    size = float(np.sum(block_bytes))
    means = [float(each.sum() / len(each) / size) for each in scores]
    order = sorted(range(len(scores)), key=lambda row: means[row])
    ordered = [scores[row] for row in order]
    by_seed = [each.sum(axis=1) / size for each in ordered]
    spreads = [float(np.std(each, ddof=1)) if len(each) > 1 else None for each in by_seed]
    draws = resample(
        np.stack([each.mean(axis=0) for each in ordered]),
        block_bytes,
        resamples=max(_DRAWS[0], min(_DRAWS[-1], _MOST_DRAWN // len(scores))),
        seed=seed,
    )
    for column, (each, spread) in enumerate(zip(by_seed, spreads, strict=True)):
        if spread is not None:
            error = spread / math.sqrt(len(each))
            draws[:, column] += error * students_t(len(each) - 1, len(draws), each)
    ends: list[tuple[float, float] | None] = [*intervals(draws)]
    if np.size(block_bytes) < FEWEST_BLOCKS:
        ends = [None] * len(scores)
        draws[:] = 0.0  # no row is certainly better than another
    found: dict[int, Ranking] = {}
    for place, verdict in enumerate(_verdicts(_places(draws))):
        found[order[place]] = Ranking(
            bits_per_byte=float(by_seed[place].mean()),
            seeds=len(by_seed[place]),
            spread=spreads[place],
            interval=ends[place],
            rank=verdict.rank,
            num_ties=verdict.num_ties,
            ties=tuple(order[near] for near in verdict.nearest),
            is_shared=verdict.is_shared,
        )
    return [found[row] for row in range(len(scores))]


@dataclass(frozen=True)
class _Verdict:
    """Of one row among those from best to worst. nearest: places of the nearest tied rows."""

    rank: int
    num_ties: int
    nearest: tuple[int, ...]
    is_shared: bool


def _verdicts(places: Integers) -> Iterator[_Verdict]:
    """The verdict on each row of (M, R) `_places`; rows are in the order of their scores."""
    rows = len(places)
    compared, weights = _compared(rows)
    apart = [_apart(places[compared], own) for own in places]
    better = np.array([weights[above].sum() for above, _ in apart])
    worse = np.array([weights[below].sum() for _, below in apart])
    # Not above the number of rows, where a row is worse than the one that stands for it.
    ranks = np.minimum(1 + better, rows)
    near = _near_ties(places)
    for place, (above, below) in enumerate(apart):
        far = compared[~(above | below)]
        far = far[np.abs(far - place) > NAMED_TIES]
        tied = np.concatenate([place + near[place].nonzero()[0] - NAMED_TIES, far])
        nearest = tied[np.argsort(np.abs(tied - place), kind="stable")[:NAMED_TIES]]
        yield _Verdict(
            rank=int(ranks[place]),
            num_ties=max(len(tied), int(rows - 1 - better[place] - worse[place])),
            nearest=tuple(np.sort(nearest).tolist()),
            is_shared=bool((ranks[tied] == ranks[place]).any()),
        )


def _near_ties(places: Integers) -> Booleans:
    """(M, 1 + 2 * NAMED_TIES): whether a row ties with those up to so many before and after it."""
    rows = len(places)
    ties = np.zeros((rows, 1 + 2 * NAMED_TIES), dtype=np.bool_)
    for steps in range(1, min(NAMED_TIES, rows - 1) + 1):
        tied = ~np.logical_or(*_apart(places[:-steps], places[steps:]))
        ties[steps:, NAMED_TIES - steps] = tied
        ties[:-steps, NAMED_TIES + steps] = tied
    return ties


def _compared(rows: int) -> tuple[Integers, Integers]:
    """Places of the rows that every row is compared with, and for how many rows each stands."""
    alone = rows if rows <= _FEW else _BEST
    edges = np.linspace(alone, rows, 1 if alone == rows else _STAND_INS + 1).astype(np.int64)
    stand_ins = (edges[:-1] + edges[1:]) // 2
    weights = np.concatenate([np.ones(alone, dtype=np.int64), np.diff(edges)])
    return np.concatenate([np.arange(alone), stand_ins]), weights


def _places(draws: Floats) -> Integers:
    """(M, R) the place of each row's score in each draw; equal scores share one.

    They compare as the scores do, and small integers are compared five times as fast.
    """
    resamples, rows = draws.shape
    places = np.empty((rows, resamples), dtype=np.min_scalar_type(rows))
    at_once = max(1, _SORTED_AT_ONCE // rows)
    for done in range(0, resamples, at_once):
        some = draws[done : done + at_once]
        order = np.argsort(some, axis=1)
        rises = np.diff(np.take_along_axis(some, order, axis=1), axis=1, prepend=-np.inf) > 0
        found = np.empty(some.shape, dtype=places.dtype)
        np.put_along_axis(found, order, rises.cumsum(axis=1, dtype=places.dtype), axis=1)
        places[:, done : done + at_once] = found.T
    return places


def _apart(others: Integers, own: Integers) -> tuple[Booleans, Booleans]:
    """Which of the others are certainly better than a row, or its own, and which certainly worse.

    They are where the 95 % interval of the difference does not contain zero: where more than
    97.5 % of the draws are on one side.
    """
    least = _CERTAINTY * others.shape[1]
    return _count(others < own) > least, _count(others > own) > least


def _count(found: Booleans) -> Integers:
    """How many are true in each row; faster than `np.count_nonzero` with an axis."""
    counts: Integers = found.view(np.uint8).sum(axis=1, dtype=np.uint16)
    return counts
