"""Counts that grow: what an adaptive model has read, ready to be looked up beside the table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo_plugins.ngram_lstm.table import NgramTable

__all__ = ["BLOCK", "Learned"]

BLOCK = 128
"""Tokens are learnt so many at a time, at multiples of it: where, no cut of the text changes."""

_MOST_TOKENS = 1 << 20


class Learned:
    """The tokens that were read, and tables over stretches of them.

    A new block is a table; two neighbours of one size become one of twice the size. So there are
    few tables to ask, and every token is counted anew only as often as the sizes double. Beyond
    a million tokens the oldest stretch is forgotten.
    """

    def __init__(self, make_table: Callable[[], NgramTable]) -> None:
        """make_table: an empty table of the orders and keys that will be asked for."""
        self._make_table = make_table
        self._longest = make_table().orders[-1]
        self._tables: list[tuple[int, NgramTable]] = []  # first token of each
        self._tokens = np.zeros(0, dtype=np.int64)
        self._counted = 0

    @property
    def room(self) -> int:
        """How many more tokens can be read before the next block is learnt."""
        return BLOCK - (len(self._tokens) - self._counted)

    def read(self, tokens: Int[Tensor, " T"]) -> None:
        """Take up to `room` tokens more."""
        self._tokens = np.append(self._tokens, tokens.cpu().numpy())
        if self.room == 0:
            self._count(self._counted)

    def add_counts(self, total: Float[Tensor, "N K V"], keys: Int[Tensor, "N K"]) -> None:
        """Add how often each symbol followed the contexts in what was learnt."""
        for _, table in self._tables:
            table.add_counts(total, keys)

    def _count(self, start: int) -> None:
        """Learn the tokens from `start` on, as one table with those before it of its size."""
        stop = len(self._tokens)
        while self._tables and self._tables[-1][0] == start - (stop - start):
            start, _ = self._tables.pop()
        table = self._make_table()
        before = max(0, start - self._longest)
        table.count(self._tokens[before:stop], first=start - before)
        self._tables.append((start, table))
        self._counted = stop
        if stop - self._tables[0][0] > _MOST_TOKENS:
            del self._tables[0]
