"""Counts that grow while a text is read; they are added to those of the training part."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqzoo_plugins.counts.compiled import Array, compiled
from seqzoo_plugins.counts.contexts import ABSENT
from seqzoo_plugins.counts.hashing import mixed
from seqzoo_plugins.counts.lookup import Sums

__all__ = ["Learned"]

MOST_ENTRIES = 1 << 23
_FIRST_SIZE = 1 << 10


class _Growing(NamedTuple):
    """Counts of symbols after contexts, in arrays that have room for more.

    keys: open addressing, a power of 2 of places: the key of a context, or ABSENT. heads: the first
    entry of each. symbols, counts, following: of each entry; `following` is the next entry of the
    same context, or -1. used: (1,) number of entries.
    """

    keys: npt.NDArray[np.int64]
    heads: npt.NDArray[np.int32]
    symbols: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int32]
    following: npt.NDArray[np.int32]
    used: npt.NDArray[np.int64]

    @classmethod
    def of_size(cls, size: int) -> _Growing:
        """With room for `size` entries, a power of 2."""
        return cls(
            keys=np.full(2 * size, ABSENT, dtype=np.int64),
            heads=np.zeros(2 * size, dtype=np.int32),
            symbols=np.zeros(size, dtype=np.int32),
            counts=np.zeros(size, dtype=np.int32),
            following=np.zeros(size, dtype=np.int32),
            used=np.zeros(1, dtype=np.int64),
        )

    def grown(self) -> _Growing:
        """The same with twice the room."""
        larger = _Growing.of_size(2 * len(self.symbols))
        _copy(*self, *larger)
        return larger


class Learned:
    """What followed each of K contexts in the tokens that were read.

    Every token counts for the next one. When there are eight million entries, a new set is begun;
    the sets before the last full one are forgotten.
    """

    def __init__(self, num_contexts: int, vocab_size: int, *, most_entries: int = MOST_ENTRIES):
        self.seen = np.zeros(vocab_size, dtype=np.bool_)
        self._most_entries = most_entries
        self._latest_keys = np.full(num_contexts, ABSENT, dtype=np.int64)
        self._sets = [_Growing.of_size(_FIRST_SIZE)]

    def read(
        self,
        sums: Sums,
        keys: npt.NDArray[np.int64],
        tokens: npt.NDArray[np.int64],
        weight: float,
    ) -> None:
        """Read (T,) tokens, and add for each of them what followed its contexts before.

        keys: (T, K) of the contexts that end at the tokens. weight: of one count.
        """
        T, K = keys.shape
        latest = self._sets[-1]
        while latest.used[0] + T * K > len(latest.symbols):
            if len(latest.symbols) < self._most_entries:
                latest = self._sets[-1] = latest.grown()
            else:
                self._sets = [latest, _Growing.of_size(_FIRST_SIZE)]
                latest = self._sets[-1]
        before = np.concatenate([self._latest_keys[None], keys[:-1]])
        for known in self._sets[:-1]:
            _read(*sums, keys, before, tokens, weight, False, *known)
        _read(*sums, keys, before, tokens, weight, True, *latest)
        self._latest_keys = keys[-1].copy()
        self.seen[tokens] = True


@compiled
def _read(
    sums: Array,
    totals: Array,
    kinds: Array,
    columns: Array,
    keys: Array,
    keys_before: Array,
    tokens: Array,
    weight: float,
    learns: bool,
    known: Array,
    heads: Array,
    symbols: Array,
    counts: Array,
    following: Array,
    used: Array,
) -> None:
    T, K = keys.shape
    for time in range(T):
        for k in range(K):
            if learns and keys_before[time, k] != ABSENT:
                _count(
                    keys_before[time, k],
                    tokens[time],
                    known,
                    heads,
                    symbols,
                    counts,
                    following,
                    used,
                )
        for k in range(K):
            if keys[time, k] == ABSENT:
                continue
            place = _place(keys[time, k], known)
            if known[place] == ABSENT:
                continue
            entry = heads[place]
            while entry >= 0:
                column = columns[symbols[entry]]
                kinds[time, k] += sums[time, k, column] == 0
                sums[time, k, column] += weight * counts[entry]
                totals[time, k] += weight * counts[entry]
                entry = following[entry]


@compiled
def _place(key: int, known: Array) -> int:
    """Where a context is, or where it would be."""
    place = mixed(key) & (len(known) - 1)
    while known[place] != ABSENT and known[place] != key:
        place = (place + 1) & (len(known) - 1)
    return place


@compiled
def _count(
    key: int,
    symbol: int,
    known: Array,
    heads: Array,
    symbols: Array,
    counts: Array,
    following: Array,
    used: Array,
) -> None:
    place = _place(key, known)
    if known[place] == ABSENT:
        known[place] = key
        heads[place] = -1
    entry = heads[place]
    while entry >= 0:
        if symbols[entry] == symbol:
            counts[entry] += 1
            return
        entry = following[entry]
    entry = used[0]
    used[0] += 1
    symbols[entry] = symbol
    counts[entry] = 1
    following[entry] = heads[place]
    heads[place] = entry


@compiled
def _copy(
    known: Array,
    heads: Array,
    symbols: Array,
    counts: Array,
    following: Array,
    used: Array,
    new_known: Array,
    new_heads: Array,
    new_symbols: Array,
    new_counts: Array,
    new_following: Array,
    new_used: Array,
) -> None:
    entries = used[0]
    new_symbols[:entries] = symbols[:entries]
    new_counts[:entries] = counts[:entries]
    new_following[:entries] = following[:entries]
    new_used[0] = entries
    for old in range(len(known)):
        if known[old] != ABSENT:
            place = _place(known[old], new_known)
            new_known[place] = known[old]
            new_heads[place] = heads[old]
