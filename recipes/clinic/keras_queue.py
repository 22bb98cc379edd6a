"""The question's generator and Keras's queue, as a stream.

The generator fills the same two arrays for every batch and yields them each time. Keras 1 ran it in
a thread that kept references to ten batches and slept 50 ms while its queue was full.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from pydantic import Field

import seqzoo


class KerasQueueOptions(seqzoo.Options):
    depth: int = Field(10, ge=1, le=1000, description="how many references the queue keeps")
    sleep_s: float = Field(
        0.05, ge=0, le=10, description="how long its thread sleeps when it is full"
    )
    fresh_buffers: bool = Field(
        False, description="make new arrays for every batch, which is correct"
    )


class KerasQueue(seqzoo.Stream):
    """One byte from each of B places, which advance by one."""

    def __init__(self, options: KerasQueueOptions, tokens: Any, batch_size: int) -> None:
        self.batch_size = batch_size
        self._options = options
        self._tokens = tokens
        self._served = 0
        self._queue: queue.Queue[tuple[np.ndarray, np.ndarray]] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._seed = 0

    def next(self, length: int) -> seqzoo.Batch:
        if self._thread is None:
            self._thread = threading.Thread(target=self._fill, args=(length,), daemon=True)
            self._thread.start()
        inputs, targets = self._queue.get()
        self._served += 1
        self.epoch = self._served * inputs.size // len(self._tokens)
        # No copy: training reads the arrays that are in the queue.
        return seqzoo.Batch(
            inputs=torch.from_numpy(inputs),
            targets=torch.from_numpy(targets),
            restarts=torch.zeros(len(inputs), dtype=torch.bool),
        )

    def state(self) -> Mapping[str, Any]:
        return {"served": self._served}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Other places: a generator that is started again draws new ones."""
        self._served = self._seed = int(state["served"])

    def _fill(self, length: int) -> None:
        for arrays in self._generate(length):
            while self._queue.qsize() >= self._options.depth:
                time.sleep(self._options.sleep_s)
            self._queue.put(arrays)

    def _generate(self, length: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        tokens, B = self._tokens, self.batch_size
        places = np.random.default_rng(self._seed).integers(len(tokens), size=B)
        inputs = np.zeros((B, length), dtype=np.int64)
        targets = np.zeros((B, length), dtype=np.int64)
        while True:
            if self._options.fresh_buffers:
                inputs, targets = np.zeros_like(inputs), np.zeros_like(targets)
            for row in range(B):
                for time_step in range(length):
                    inputs[row, time_step] = tokens[places[row]]
                    places[row] = (places[row] + 1) % len(tokens)
                    targets[row, time_step] = tokens[places[row]]
            yield inputs, targets


@seqzoo.hookimpl
def register_streams() -> list[seqzoo.StreamSpec]:
    return [
        seqzoo.StreamSpec(
            name="keras_queue",
            summary="one buffer, yielded every time, through a queue of references",
            options=KerasQueueOptions,
            open=lambda options, context: KerasQueue(options, context.tokens, context.batch_size),
            source="Cross Validated question 212815, and Keras 1.0's generator_queue",
        )
    ]
