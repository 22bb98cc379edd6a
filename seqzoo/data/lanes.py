"""Contiguous lanes: the order in which training reads its tokens.

The training part is cut into B lanes. Batch k+1 continues batch k in every lane, so that the
carried state always belongs to the text just before the batch:

    lane 0   [ batch 0 | batch 1 | batch 2 | ... ]
    lane 1   [ batch 0 | batch 1 | batch 2 | ... ]

Every batch is a new buffer. If a generator refills one array and yields it again, all batches
that wait in a queue are the same array and have the same data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.errors import UsageError
from seqzoo.plugin.contracts import Batch, Stream

__all__ = ["Lanes"]


class Lanes(Stream):
    """B contiguous lanes over tokens, read from left to right and then again.

    Up to B tokens at the end do not fill a lane and are left out. `position` and `epoch` are the
    whole state: a resumed run sets them and continues.
    """

    def __init__(self, tokens: npt.NDArray[Any], *, batch_size: int) -> None:
        self.tokens = tokens
        self.batch_size = batch_size
        self.lane_length = (len(tokens) - 1) // batch_size
        self.position = 0
        self.epoch = 0
        if self.lane_length < 1:
            raise UsageError(
                f"train.batch_size {batch_size} needs at least {batch_size + 1} tokens of training "
                f"text, found {len(tokens)}; use a smaller batch_size or a larger corpus."
            )
        self._starts = np.arange(batch_size, dtype=np.int64)[:, None] * self.lane_length

    def next(self, length: int) -> Batch:
        """The next `length` tokens of every lane, or fewer at the end of the lanes."""
        restarts = self.position == 0
        time = min(length, self.lane_length - self.position)
        window = self._starts + np.arange(self.position, self.position + time + 1)
        block = torch.from_numpy(self.tokens[window].astype(np.int64))  # (B, T + 1), a new buffer
        positions = torch.from_numpy(window[:, 0].copy())
        self.position += time
        if self.position == self.lane_length:
            self.position = 0
            self.epoch += 1
        return Batch(
            inputs=block[:, :-1],
            targets=block[:, 1:],
            restarts=torch.full((self.batch_size,), restarts),
            positions=positions,
        )

    def state(self) -> Mapping[str, Any]:
        """Position and epoch."""
        return {"position": self.position, "epoch": self.epoch}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that `state` returned. Raises ValueError if it is another's."""
        position, epoch = int(state["position"]), int(state["epoch"])
        if not 0 <= position < self.lane_length or epoch < 0:
            raise ValueError(
                f"position {position} of epoch {epoch} is not in lanes of {self.lane_length} tokens"
            )
        self.position, self.epoch = position, epoch
