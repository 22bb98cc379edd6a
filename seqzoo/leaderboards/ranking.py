"""Which rows are better than which, as far as one split and a few seeds can show.

What a row's score could have been is a distribution: the bootstrap over the split's blocks, the
same blocks for every row, so that differences are paired; and, where a row has S > 1 seeds with
standard deviation s, an independent s / sqrt(S) times Student's t with S - 1 degrees of freedom
for the seeds that were not run. The difference of two such means is Behrens and Fisher's problem,
and the 95 % interval of the difference decides: a row is better where the interval is below
zero, and a tie where it contains zero. With one seed the spread over seeds is unknown and not
included: the verdict is then about this seed only, and the table shows a question mark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from seqzoo.results.bootstrap import interval, resample

__all__ = ["Ranking", "rankings"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """The rank of one row among all, and what it is based on.

    bits_per_byte: mean over its seeds. seeds: how many. spread: their standard deviation; None
    for one seed, of which it is unknown. interval: 95 %, over blocks and seeds. rank: one more
    than the number of rows that are certainly better. ties: indices of the rows that are neither
    certainly better nor certainly worse. is_shared: one of these has the same rank.
    """

    bits_per_byte: float
    seeds: int
    spread: float | None
    interval: tuple[float, float]
    rank: int
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
    by_seed = [each.sum(axis=1) / size for each in scores]
    spreads = [float(np.std(each, ddof=1)) if len(each) > 1 else None for each in by_seed]
    draws = resample(np.stack([each.mean(axis=0) for each in scores]), block_bytes, seed=seed)
    for column, (each, spread) in enumerate(zip(by_seed, spreads, strict=True)):
        if spread is not None:
            error = spread / math.sqrt(len(each))
            draws[:, column] += error * _students_t(len(each) - 1, len(draws), each)
    is_better = _certainly_better(draws)
    ranks = [1 + int(above.sum()) for above in is_better.T]
    return [
        Ranking(
            bits_per_byte=float(each.mean()),
            seeds=len(each),
            spread=spread,
            interval=interval(draws[:, row]),
            rank=ranks[row],
            ties=tuple(ties),
            is_shared=any(ranks[other] == ranks[row] for other in ties),
        )
        for row, (each, spread) in enumerate(zip(by_seed, spreads, strict=True))
        for ties in [_ties(is_better, row)]
    ]


def _students_t(degrees: int, draws: int, scores: Floats) -> Floats:
    """(draws,) quantiles of Student's t, in an order that comes from the row's scores alone, so
    that whether two rows tie depends on no third.
    """
    order = np.random.default_rng(np.frombuffer(scores.tobytes(), dtype=np.uint32))
    return order.permutation(_quantiles(degrees, draws))


@lru_cache
def _quantiles(degrees: int, draws: int) -> tuple[float, ...]:
    """Evenly spaced: 2,000 plain draws of one degree of freedom miss the tails by a tenth."""
    sample = np.random.default_rng(degrees).standard_t(degrees, size=400_000)
    return tuple(np.quantile(sample, (np.arange(draws) + 0.5) / draws))


def _certainly_better(draws: Floats) -> npt.NDArray[np.bool_]:
    """(M, M): whether the 95 % interval of row's minus column's score is below zero.

    It does where more than 97.5 % of the draws do. Counting them is faster than sorting them, by
    minutes for a thousand rows.
    """
    return np.stack([(row[:, None] < draws).mean(axis=0) > 0.975 for row in draws.T])


def _ties(is_better: npt.NDArray[np.bool_], row: int) -> list[int]:
    apart = is_better[row] | is_better[:, row]
    return [other for other in range(len(apart)) if other != row and not apart[other]]
