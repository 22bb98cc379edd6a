"""Counts of what followed a context in the latest tokens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqzoo_plugins.counts.compiled import Array, compiled
from seqzoo_plugins.counts.contexts import ABSENT
from seqzoo_plugins.counts.lookup import Sums

__all__ = ["MOST_PLACES", "add_window_counts"]

MOST_PLACES = 256
"""Earlier places that are looked at: prose has tens of them, but one repeated byte would have W."""


def add_window_counts(
    sums: Sums,
    tokens: npt.NDArray[np.int64],
    keys: npt.NDArray[np.int64],
    chains: list[slice],
) -> None:
    """Add what followed each context in the W tokens before it.

    tokens: (B, W + T), ABSENT before the start of the text. keys: (B, W + T, K) of the contexts
    that end at them; `sums` is of the last T, N = B * T. chains: ranges of contexts of which each
    one refines the one before it; if the first one of a chain occurs at more than 256 places, only
    the latest are looked at.
    """
    B, L = tokens.shape
    T = len(sums.totals) // B
    for row in range(B):
        own = slice(row * T, (row + 1) * T)
        for chain in chains:
            _add_chain(
                sums.counts[own, chain],
                sums.totals[own, chain],
                sums.kinds[own, chain],
                sums.columns,
                tokens[row],
                keys[row, :, chain],
                L - T,
            )


@compiled
def _add_chain(
    sums: Array,
    totals: Array,
    kinds: Array,
    columns: Array,
    tokens: Array,
    keys: Array,
    window: int,
) -> None:
    K = totals.shape[1]
    L = len(tokens)
    size = 2
    while size < 2 * L:
        size *= 2
    latest = np.full(size, -1, dtype=np.int32)  # the last place in each bucket of keys
    earlier = np.empty(L, dtype=np.int32)  # the place before in the same bucket
    for place in range(L):
        first_key = keys[place, 0]
        bucket = first_key & (size - 1)
        earlier[place] = latest[bucket]
        if first_key == ABSENT:
            continue
        latest[bucket] = place
        time = place - window
        if time < 0:
            continue
        other = earlier[place]
        looked_at = 0
        while other >= time and looked_at < MOST_PLACES:
            if keys[other, 0] == first_key:
                looked_at += 1
                column = columns[tokens[other + 1]]
                for k in range(K):
                    if keys[other, k] != keys[place, k] or keys[place, k] == ABSENT:
                        break
                    kinds[time, k] += sums[time, k, column] == 0
                    sums[time, k, column] += 1
                    totals[time, k] += 1
            other = earlier[other]
