"""Where in a text each string stands, and what happened there earlier: no loop over bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo_plugins.ngrams.grams import Counts, Keys


class Occurrences:
    """N places in file order, one string each, grouped by string.

    keys: (G,) the distinct strings, ascending. firsts: (G,) where each stands first.
    """

    def __init__(self, strings: Keys) -> None:
        self._order = np.argsort(strings, kind="stable")  # file order within each group
        ordered = strings[self._order]
        self._starts = np.flatnonzero(
            np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]
        )
        self._sizes = np.diff(self._starts, append=len(ordered))
        self.keys = ordered[self._starts]
        self.firsts = self._order[self._starts]

    def __len__(self) -> int:
        return len(self._order)

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(G,) a value for each string to (N,) its value at each place."""
        result = np.empty(len(self), dtype=values.dtype)
        result[self._order] = np.repeat(values, self._sizes)
        return result

    def earlier(self, changes: npt.NDArray[Any]) -> Counts:
        """(N,) to (N,): their sum over the earlier places of the same string."""
        ordered = changes[self._order].astype(np.int64)
        sums = np.cumsum(ordered)
        sums -= ordered
        sums -= np.repeat(sums[self._starts], self._sizes)
        ordered[self._order] = sums
        return ordered
