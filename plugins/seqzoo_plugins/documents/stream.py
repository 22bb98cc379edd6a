"""Documents side by side: a row that ends its document waits for the next batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from seqzoo import Batch, Stream, StreamContext, UsageError


class Documents(Stream):
    """Each row reads one document to its end and then takes the next one of the epoch's order.

    No row mixes two documents in a batch: what is left of a row after the end of its document is
    masked. Batches are as long as the longest rest of a document in them, so that short documents
    waste little. Documents of one token have no target and are left out.
    """

    def __init__(self, context: StreamContext, *, shuffle: bool) -> None:
        if context.documents is None:
            raise UsageError(
                "stream 'documents' needs a corpus of several documents, found one text; use the "
                "corpus 'directory' or 'files', or leave train.stream out."
            )
        self.batch_size = context.batch_size
        self._tokens = context.tokens
        stops = np.append(context.documents[1:], len(context.tokens))
        is_long_enough = stops - context.documents >= 2
        self._starts, self._stops = context.documents[is_long_enough], stops[is_long_enough]
        if len(self._starts) == 0:
            raise UsageError("every document has fewer than 2 tokens; use a larger corpus.")
        self._seed = context.seed if shuffle else None
        # Per row: the next place to read, and where its document stops; equal if it needs another.
        self._place = np.zeros(self.batch_size, dtype=np.int64)
        self._stop = np.zeros(self.batch_size, dtype=np.int64)
        self._taken = 0
        self.epoch = 0
        self._order = self._shuffled()

    def next(self, length: int) -> Batch:
        """Up to `length` tokens of every row."""
        restarts = self._place + 1 >= self._stop
        for row in np.flatnonzero(restarts):
            document = self._next_document()
            self._place[row], self._stop[row] = self._starts[document], self._stops[document]
        left = self._stop - 1 - self._place  # targets that remain in each row's document
        time = int(min(length, left.max()))
        ahead = np.arange(time)
        places = np.minimum(self._place[:, None] + ahead, self._stop[:, None] - 2)
        batch = Batch(
            inputs=self._read(places),
            targets=self._read(places + 1),
            restarts=torch.from_numpy(restarts),
            mask=torch.from_numpy(ahead < left[:, None]),
            positions=torch.from_numpy(self._place.copy()),
        )
        self._place = np.minimum(self._place + time, self._stop - 1)
        return batch

    def state(self) -> Mapping[str, Any]:
        """The place of every row, and how many documents of the order were taken."""
        return {
            "place": self._place.tolist(),
            "stop": self._stop.tolist(),
            "taken": self._taken,
            "epoch": self.epoch,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that `state` returned."""
        place, stop = (np.array(state[key], dtype=np.int64) for key in ("place", "stop"))
        if place.shape != (self.batch_size,) or stop.shape != place.shape:
            raise ValueError(f"expected places of {self.batch_size} rows")
        taken, epoch = int(state["taken"]), int(state["epoch"])
        is_inside = (
            (place >= 0).all() and (place <= stop).all() and (stop <= len(self._tokens)).all()
        )
        if not (is_inside and 0 <= taken <= len(self._starts) and epoch >= 0):
            raise ValueError(f"expected places in a text of {len(self._tokens)} tokens")
        self._place, self._stop = place, stop
        self._taken, self.epoch = taken, epoch
        self._order = self._shuffled()

    def _next_document(self) -> int:
        if self._taken == len(self._starts):
            self._taken = 0
            self.epoch += 1
            self._order = self._shuffled()
        self._taken += 1
        return int(self._order[self._taken - 1])

    def _shuffled(self) -> np.ndarray:
        order = np.arange(len(self._starts))
        if self._seed is None:
            return order
        return np.random.default_rng([self._seed, self.epoch]).permutation(order)

    def _read(self, places: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self._tokens[places].astype(np.int64))
