"""Counts that grow while an adaptive model reads; they are added to those of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo_plugins.ngram_gate.table import NgramTable

__all__ = ["BLOCK", "Learned"]

BLOCK = 128
"""Tokens are counted in blocks at multiples of this size, so cuts of the text do not matter."""

_LARGEST_SEGMENT = 1 << 17
_MAX_TOKENS = 1 << 21


class _Segment(NamedTuple):
    """tokens: (N,) that were read. table: what followed contexts there."""

    tokens: npt.NDArray[np.int64]
    table: NgramTable


class Learned:
    """The tokens that were read, and tables of counts over segments of them.

    A new block is a segment. Two neighbours of equal length are joined, up to a largest length, so
    there are few tables, and a token is counted again only when its segment doubles. The oldest
    segments are dropped when there are more than two million tokens.
    """

    def __init__(self, make_table: Callable[[], NgramTable]) -> None:
        """make_table: makes an empty table with the orders and keys that are looked up."""
        self._make_table = make_table
        self._segments: list[_Segment] = []
        self._pending = np.zeros(0, dtype=np.int64)

    @property
    def room(self) -> int:
        """Number of tokens that can be read before the next block is counted."""
        return BLOCK - len(self._pending)

    def read(self, tokens: Int[Tensor, " T"]) -> None:
        """Read up to `room` more tokens."""
        self._pending = np.append(self._pending, tokens.cpu().numpy())
        if self.room == 0:
            self._count(self._pending)
            self._pending = self._pending[:0]

    def add_counts(self, total: Float[Tensor, "N K V"], keys: Int[Tensor, "N K"]) -> None:
        """Add how often each symbol followed the contexts in the counted tokens."""
        for segment in self._segments:
            segment.table.add_counts(total, keys)

    def _count(self, tokens: npt.NDArray[np.int64]) -> None:
        segments = self._segments
        while segments and len(segments[-1].tokens) == len(tokens) < _LARGEST_SEGMENT:
            tokens = np.concatenate([segments.pop().tokens, tokens])
        table = self._make_table()
        # A block is longer than any context, so the previous segment has the whole context.
        before = segments[-1].tokens[-table.orders[-1] :] if segments else tokens[:0]
        table.count(np.concatenate([before, tokens]), first=len(before))
        segments.append(_Segment(tokens, table))
        while sum(len(segment.tokens) for segment in segments) > _MAX_TOKENS:
            del segments[0]
