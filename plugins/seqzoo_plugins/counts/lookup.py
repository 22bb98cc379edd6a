"""Looking up stored counts, in compiled loops."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqzoo_plugins.counts.compiled import Array, compiled
from seqzoo_plugins.counts.hashing import mixed

__all__ = ["Entries", "Sums", "add_entries", "slots_of"]


class Sums(NamedTuple):
    """What followed (N, K) contexts. counts: (N, K, A) of each column, a column for each symbol
    that can have a count. totals: (N, K) their sum. kinds: (N, K) how many are above 0.
    columns: (V,) the column of each symbol.
    """

    counts: npt.NDArray[np.floating]
    totals: npt.NDArray[np.floating]
    kinds: npt.NDArray[np.floating]
    columns: npt.NDArray[np.int64]

    def of(self, contexts: slice) -> Sums:
        """Those of some contexts, in the same memory."""
        return Sums(
            self.counts[:, contexts],
            self.totals[:, contexts],
            self.kinds[:, contexts],
            self.columns,
        )


class Entries(NamedTuple):
    """E counts (a symbol after a context), ready to be looked up.

    slots: (a power of 2, 3), open addressing: the key of a context, and where its entries begin and
    end; an end of 0 means none. symbols: (E,). counts: (F, E) in F versions: without one fold of
    the text each, or one version of all.
    """

    slots: npt.NDArray[np.int64]
    symbols: npt.NDArray[np.integer]
    counts: npt.NDArray[np.int32]


@compiled
def slots_of(contexts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The `slots` of these keys, and where the entries of each end."""
    size = 2
    while size < 2 * len(contexts):
        size *= 2
    slots = np.zeros((size, 3), dtype=np.int64)
    begin = 0
    for number in range(len(contexts)):
        place = mixed(contexts[number]) & (size - 1)
        while slots[place, 2] > 0:
            place = (place + 1) & (size - 1)
        slots[place, 0] = contexts[number]
        slots[place, 1] = begin
        begin = slots[place, 2] = ends[number]
    return slots


def add_entries(
    sums: Sums,
    keys: npt.NDArray[np.int64],
    versions: npt.NDArray[np.int64],
    entries: Entries,
) -> None:
    """Add the counts of (N, K) contexts, of these versions, (N,)."""
    _add_entries(*sums, keys, versions, *entries)


@compiled
def _add_entries(
    sums: Array,
    totals: Array,
    kinds: Array,
    columns: Array,
    keys: Array,
    versions: Array,
    slots: Array,
    symbols: Array,
    counts: Array,
) -> None:
    N, K = keys.shape
    ranges = np.empty((K, 2), dtype=np.int64)
    for n in range(N):
        # Two loops: the processor waits for the memory of all contexts at the same time.
        for k in range(K):
            place = mixed(keys[n, k]) & (len(slots) - 1)
            while slots[place, 2] > 0 and slots[place, 0] != keys[n, k]:
                place = (place + 1) & (len(slots) - 1)
            ranges[k, 0] = slots[place, 1]
            ranges[k, 1] = slots[place, 2]
        version = counts[versions[n]]
        for k in range(K):
            row = sums[n, k]
            total = 0
            kind = 0
            for entry in range(ranges[k, 0], ranges[k, 1]):
                count = version[entry]
                if count > 0:
                    column = columns[symbols[entry]]
                    kind += row[column] == 0
                    row[column] += count
                    total += count
            totals[n, k] += total
            kinds[n, k] += kind
