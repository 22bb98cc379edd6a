"""The order in which a split is read: chunks of inputs and targets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqzoo.data.tokens import EncodedText

__all__ = ["Chunk", "SplitReader"]


@dataclass(frozen=True)
class Chunk:
    """One forward pass over a split; every array is (lanes, T).

    inputs, targets: tokens. scored: whether the target is scored. positions: index in the split of
    each target's first byte. lengths: its raw bytes. distances: bytes that its lane has read before
    it, warm-up included.
    """

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    scored: npt.NDArray[np.bool_]
    positions: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    distances: npt.NDArray[np.int64]

    def equals(self, other: Chunk) -> bool:
        """Whether all arrays of both chunks are equal."""
        return all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in self.__dataclass_fields__
        )


class SplitReader:
    """A split read in `lanes` lanes in parallel: lane i scores targets [bounds[i], bounds[i+1]).

    Each lane starts `warmup_tokens` earlier, or at the start of the split; lanes that end first
    are padded. The input of the first target is the last token before the split.
    """

    def __init__(self, text: EncodedText, *, lanes: int = 1, warmup_tokens: int = 0) -> None:
        self.text = text
        self.lanes = lanes
        bounds = np.arange(lanes + 1) * len(text.tokens) // lanes
        self._begins = bounds[:-1, None]
        self._ends = bounds[1:, None]
        warmup = warmup_tokens if lanes > 1 else 0
        self._starts = np.maximum(self._begins - warmup, 0)
        self._steps = int((self._ends - self._starts).max())
        edges = [0, *self._starts[:, 0]]
        between = [text.lengths[a:b].sum() for a, b in itertools.pairwise(edges)]
        self._first_bytes = np.cumsum(between, dtype=np.int64)[:, None]

    def chunks(self, length: int) -> Iterator[Chunk]:
        """The whole split, `length` tokens of every lane at a time."""
        text = self.text
        last_byte = len(text.data) - 1
        # Byte position of each lane's next token, updated with every chunk.
        offsets = self._first_bytes
        for begin in range(0, self._steps, length):
            order = self._starts + np.arange(begin, min(begin + length, self._steps))
            scored = (order >= self._begins) & (order < self._ends)
            order = np.minimum(order, len(text.tokens) - 1)
            inputs = text.tokens[np.maximum(order - 1, 0)].astype(np.int64)
            inputs[order == 0] = text.first_input
            lengths = text.lengths[order]
            last = offsets + np.cumsum(lengths, axis=1)
            offsets = last[:, -1:]
            # A token that completes no byte is counted at the first byte of its symbol.
            positions = np.minimum(last - lengths, last_byte)
            targets = text.tokens[order].astype(np.int64)
            yield Chunk(inputs, targets, scored, positions, lengths, positions - self._first_bytes)
