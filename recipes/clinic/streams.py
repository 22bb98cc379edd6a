"""Contiguous lanes with one fault: what can go wrong between a text and its batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

import seqzoo


class BrokenLanesOptions(seqzoo.Options):
    fault: Literal[
        "shuffled_lanes", "never_reset", "reset_at_every_batch", "off_by_one", "off_by_zero"
    ] = Field(description="which fault the lanes have")


class BrokenLanes(seqzoo.Stream):
    """B stretches of the text side by side, read from beginning to end, and then again."""

    def __init__(self, options: BrokenLanesOptions, tokens: Any, batch_size: int) -> None:
        self.batch_size = batch_size
        self._fault = options.fault
        self._tokens = tokens
        self._lane_length = (len(tokens) - 2) // batch_size
        self._starts = np.arange(batch_size)[:, None] * self._lane_length
        self._position = 0

    def next(self, length: int) -> seqzoo.Batch:
        begin, end = self._position, min(self._position + length, self._lane_length)
        starts = self._starts
        if self._fault == "shuffled_lanes":
            starts = np.random.default_rng((self.epoch, begin)).permutation(starts)
        ahead = {"off_by_one": 2, "off_by_zero": 0}.get(self._fault, 1)
        places = starts + np.arange(begin, end)
        restarts = {"never_reset": False, "reset_at_every_batch": True}.get(self._fault, begin == 0)
        self._position = end % self._lane_length
        self.epoch += self._position == 0
        return seqzoo.Batch(
            inputs=self._read(places),
            targets=self._read(places + ahead),
            restarts=torch.full((self.batch_size,), restarts),
        )

    def state(self) -> Mapping[str, Any]:
        return {"position": self._position, "epoch": self.epoch}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._position, self.epoch = int(state["position"]), int(state["epoch"])

    def _read(self, places: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self._tokens[places].astype(np.int64))


@seqzoo.hookimpl
def register_streams() -> list[seqzoo.StreamSpec]:
    return [
        seqzoo.StreamSpec(
            name="broken_lanes",
            summary="contiguous lanes with a fault",
            options=BrokenLanesOptions,
            open=lambda options, context: BrokenLanes(options, context.tokens, context.batch_size),
        )
    ]
