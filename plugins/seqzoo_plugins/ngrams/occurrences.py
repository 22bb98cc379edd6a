"""The places of each string in a text, and sums over earlier places, without a loop over bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo_plugins.ngrams.grams import Counts, Keys


class Occurrences:
    """N places in file order, one string at each, grouped by string.

    keys: (G,) the distinct strings, ascending. firsts: (G,) the first place of each.
    """

    def __init__(self, order: npt.NDArray[np.intp], strings: Keys) -> None:
        """order: (N,) places sorted by string, in file order among equals; strings: at those."""
        self._order, self._strings = order, strings
        is_first = np.concatenate([[True], strings[1:] != strings[:-1]])[: len(strings)]
        self._starts = np.flatnonzero(is_first)
        self._sizes = np.diff(self._starts, append=len(strings))
        self.keys = strings[self._starts]
        self.firsts = order[self._starts]

    @classmethod
    def of_nothing(cls, size: int) -> Occurrences:
        """The empty string at each of that many places."""
        return cls(np.arange(size), np.zeros(size, dtype=np.uint64))

    def __len__(self) -> int:
        return len(self._order)

    def extended(self, front: npt.NDArray[np.uint8], length: int) -> Occurrences:
        """With one more byte before each string. front: (N,) bytes. length: of the old strings."""
        front = front[self._order]
        # A stable sort by the new first byte, linear in N, sorts the longer strings.
        order = np.argsort(front, kind="stable")
        strings = front[order].astype(np.uint64) << np.uint64(8 * length)
        strings |= self._strings[order]
        return Occurrences(self._order[order], strings)

    def without_first(self) -> Occurrences:
        """Without the first place; the second becomes the first."""
        kept = self._order != 0
        return Occurrences(self._order[kept] - 1, self._strings[kept])

    def without_last(self) -> Occurrences:
        """Without the last place."""
        kept = self._order != len(self) - 1
        return Occurrences(self._order[kept], self._strings[kept])

    def running(self, initial: npt.NDArray[Any], changes: npt.NDArray[Any]) -> Counts:
        """The value of the string at each place, before the change there.

        initial: (G,) value of each string at the start. changes: (N,) what each place adds.
        """
        values = changes[self._order].astype(np.int64)
        before = np.cumsum(values)
        before -= values
        before += np.repeat(initial - before[self._starts], self._sizes)
        values[self._order] = before
        return values
