"""Counts that grow: what an adaptive model has read, ready to be looked up beside the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo_plugins.ngram_lstm.table import NgramTable

__all__ = ["BLOCK", "Learned"]

BLOCK = 128
"""Tokens are learnt so many at a time, at multiples of it: where, no cut of the text changes."""

_LONGEST_STRETCH = 1 << 17
_MOST_TOKENS = 1 << 21


class _Stretch(NamedTuple):
    """tokens: (N,) that were read. table: what followed contexts there."""

    tokens: npt.NDArray[np.int64]
    table: NgramTable


class Learned:
    """The tokens that were read, and tables over stretches of them.

    A new block is a stretch; two neighbours of one length become one, up to a longest. So there are
    few tables to ask, and a token is counted anew only as often as its stretch doubles. Beyond two
    million tokens the oldest stretch is forgotten.
    """

    def __init__(self, make_table: Callable[[], NgramTable]) -> None:
        """make_table: an empty table of the orders and keys that will be asked for."""
        self._make_table = make_table
        self._stretches: list[_Stretch] = []
        self._pending = np.zeros(0, dtype=np.int64)

    @property
    def room(self) -> int:
        """How many more tokens can be read before the next block is learnt."""
        return BLOCK - len(self._pending)

    def read(self, tokens: Int[Tensor, " T"]) -> None:
        """Take up to `room` tokens more."""
        self._pending = np.append(self._pending, tokens.cpu().numpy())
        if self.room == 0:
            self._learn(self._pending)
            self._pending = self._pending[:0]

    def add_counts(self, total: Float[Tensor, "N K V"], keys: Int[Tensor, "N K"]) -> None:
        """Add how often each symbol followed the contexts in what was learnt."""
        for stretch in self._stretches:
            stretch.table.add_counts(total, keys)

    def _learn(self, tokens: npt.NDArray[np.int64]) -> None:
        stretches = self._stretches
        while stretches and len(stretches[-1].tokens) == len(tokens) < _LONGEST_STRETCH:
            tokens = np.concatenate([stretches.pop().tokens, tokens])
        table = self._make_table()
        # A block is longer than any context, so that one stretch has all that reaches back.
        before = stretches[-1].tokens[-table.orders[-1] :] if stretches else tokens[:0]
        table.count(np.concatenate([before, tokens]), first=len(before))
        stretches.append(_Stretch(tokens, table))
        while sum(len(stretch.tokens) for stretch in stretches) > _MOST_TOKENS:
            del stretches[0]
