"""The order in which a split is read: chunks of what goes in and what should come out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqzoo.data.tokens import encode
from seqzoo.plugin.contracts import Tokenizer
from seqzoo.plugin.specs import Span

__all__ = ["Chunk", "Reading"]


@dataclass(frozen=True)
class Chunk:
    """A step of the reading, all (lanes, T).

    inputs, targets: tokens. scored: whether the target counts. positions: the byte of the split
    that each target begins with. lengths: its raw bytes. distances: bytes that its lane has read
    before it, warm-up included.
    """

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    scored: npt.NDArray[np.bool_]
    positions: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    distances: npt.NDArray[np.int64]


class Reading:
    """A split in `lanes` stretches side by side: lane i scores targets [bounds[i], bounds[i+1]).

    Each starts `warmup_tokens` earlier, where there is an earlier; lanes that end first are
    padded. The input of the first target is the last token before the split.
    """

    def __init__(
        self, tokenizer: Tokenizer, span: Span, *, lanes: int = 1, warmup_tokens: int = 0
    ) -> None:
        self.targets = encode(tokenizer, span.bytes)
        self.lengths = tokenizer.byte_lengths(self.targets)
        self.first_input = _first_input(tokenizer, span)
        self.last_byte = len(span) - 1
        bounds = np.arange(lanes + 1) * len(self.targets) // lanes
        self.begins = bounds[:-1, None]
        self.ends = bounds[1:, None]
        warmup = warmup_tokens if lanes > 1 else 0
        self.starts = np.maximum(self.begins - warmup, 0)
        self.steps = int((self.ends - self.starts).max())
        edges = [0, *self.starts[:, 0]]
        between = [self.lengths[a:b].sum() for a, b in itertools.pairwise(edges)]
        self._first_bytes = np.cumsum(between, dtype=np.int64)[:, None]

    def chunks(self, length: int) -> Iterator[Chunk]:
        """Everything, `length` tokens of every lane at a time."""
        # Byte position of each lane's next token, moved on with every chunk.
        offsets = self._first_bytes
        for begin in range(0, self.steps, length):
            order = self.starts + np.arange(begin, min(begin + length, self.steps))
            scored = (order >= self.begins) & (order < self.ends)
            order = np.minimum(order, len(self.targets) - 1)
            inputs = self.targets[np.maximum(order - 1, 0)].astype(np.int64)
            inputs[order == 0] = self.first_input
            lengths = self.lengths[order]
            last = offsets + np.cumsum(lengths, axis=1)
            offsets = last[:, -1:]
            # A token that stands for no byte yet counts where the symbol begins.
            positions = np.minimum(last - lengths, self.last_byte)
            targets = self.targets[order].astype(np.int64)
            yield Chunk(inputs, targets, scored, positions, lengths, positions - self._first_bytes)


def _first_input(tokenizer: Tokenizer, span: Span) -> int:
    """The last token of the bytes before the split; a split at the file's start has none."""
    before = tokenizer.encode(span.before(64))
    return int(before[-1]) if len(before) else 0
