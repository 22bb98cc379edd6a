"""Lanes around the text as a ring, which is turned by another offset in each epoch.

With lanes that begin at the same places in each epoch, the gradient is cut before the same tokens
each time, and the same tokens are always read with an empty state. Here both move:

    epoch 0   . . [ lane 0 ][ lane 1 ][ lane 2 ] .
    epoch 1   ne 2 ] . . . [ lane 0 ][ lane 1 ][ la

The end of the text is not followed by its beginning: all rows end a batch where the lane across it
comes to the end, and the row of that lane restarts at the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from seqzoo import Batch, Stream, StreamContext, UsageError


class Shifted(Stream):
    """B contiguous lanes; in each epoch the first begins at a place drawn from seed and epoch.

    Every token is a target at most once in an epoch. Up to B tokens before the first lane do not
    fill one; they are others in each epoch. All states are reset at the beginning of an epoch.
    """

    def __init__(self, context: StreamContext) -> None:
        self.batch_size = context.batch_size
        self._tokens = context.tokens
        self._seed = context.seed
        self._inputs = len(self._tokens) - 1  # the last token is only a target
        self._lane_length = self._inputs // self.batch_size
        if self._lane_length < 1:
            raise UsageError(
                f"train.batch_size {self.batch_size} needs at least {self.batch_size + 1} tokens "
                f"of training text, found {len(self._tokens)}; use a smaller batch_size or a "
                f"larger corpus."
            )
        self._begin(epoch=0, position=0)

    def next(self, length: int) -> Batch:
        """The next `length` tokens of every lane, or fewer at the end of the lanes or the text."""
        before_end = self._position < self._end
        stop = self._end if before_end else self._lane_length
        time = min(length, stop - self._position)
        first = (self._starts + self._position) % self._inputs
        window = first[:, None] + np.arange(time + 1)
        block = torch.from_numpy(self._tokens[window].astype(np.int64))  # (B, T + 1)
        restarts = (first == 0) | (self._position == 0)
        self._position += time
        if self._position == self._lane_length:
            self._begin(epoch=self.epoch + 1, position=0)
        return Batch(
            inputs=block[:, :-1],
            targets=block[:, 1:],
            restarts=torch.from_numpy(restarts),
            positions=torch.from_numpy(first),
        )

    def state(self) -> Mapping[str, Any]:
        """Position and epoch; the offset follows from the epoch."""
        return {"position": self._position, "epoch": self.epoch}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that `state` returned."""
        position, epoch = int(state["position"]), int(state["epoch"])
        if not 0 <= position < self._lane_length or epoch < 0:
            raise ValueError(
                f"position {position} of epoch {epoch} is not in lanes of {self._lane_length} "
                f"tokens"
            )
        self._begin(epoch=epoch, position=position)

    def _begin(self, *, epoch: int, position: int) -> None:
        self.epoch, self._position = epoch, position
        random = np.random.default_rng([self._seed, epoch])
        offset = int(random.integers(self._inputs))
        self._starts = (offset + np.arange(self.batch_size) * self._lane_length) % self._inputs
        # Where a lane comes to the end of the text; 0 for an epoch in which none crosses it.
        across = self._inputs - int(self._starts.max())
        self._end = across if across < self._lane_length else 0
