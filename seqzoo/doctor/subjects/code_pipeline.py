"""A user's own batches as a pipeline: read from the beginning again, or where they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
import torch

from seqzoo.doctor.evidence.gradients import without_sparse_gradients
from seqzoo.doctor.evidence.loss_form import shift_of
from seqzoo.doctor.evidence.missing import Exhausted
from seqzoo.doctor.evidence.network import Loss, Network
from seqzoo.doctor.evidence.pipeline import Pipeline
from seqzoo.doctor.evidence.recording import Source
from seqzoo.doctor.evidence.trial import Trainer
from seqzoo.doctor.subjects.code_batches import (
    OneTargetPerRow,
    next_targets,
    read_batch,
    with_every_target,
)
from seqzoo.doctor.subjects.code_pairs import has_inputs_as_labels, pair_of
from seqzoo.doctor.subjects.code_rows import Rows, rows_of_model
from seqzoo.doctor.subjects.code_trainer import CodeTrainer, MakeOptimizer
from seqzoo.doctor.subjects.code_windows import Windows
from seqzoo.plugin.contracts import Batch

__all__ = ["SHORTEST_TEXT", "Batches", "CodePipeline"]

Batches: TypeAlias = Iterable[Any] | Callable[[], Iterable[Any]]
"""(inputs, targets) pairs of arrays: ids (B, T), or one-hot (B, T, V); (B,) or (B, V) for T = 1.
Negative targets are padding."""

SHORTEST_TEXT = 4
"""Tokens of the shortest row that is taken for text, and not for a step of one."""

_RESTART = "give a function that starts it again"


class CodePipeline(Pipeline):
    """An iterable of pairs, or a function that returns a new one."""

    numbered = False

    def __init__(
        self,
        batches: Batches,
        make_optimizer: MakeOptimizer | None,
        loss: Loss | None = None,
        *,
        carry_state: bool,
        clip_norm: float | None = None,
        model: Callable[[], Network] | None = None,
    ) -> None:
        """model: built when the batches have one target for each row, to see whether it fits."""
        self.rows: Rows | Windows | None = None
        self._batches = batches
        self._make_optimizer = make_optimizer
        self.restarts_anywhere = callable(batches)
        self._one_hot: dict[str, bool] = {}
        self._has_labels = False
        self._carry_state = carry_state
        self._clip_norm = clip_norm
        # A generator cannot be asked for two items at the same time, also not by a second thread.
        self._lock = threading.Lock()
        self._iterator = self._open()
        self._peeked: list[Any] = []
        try:
            first = next(self._iterator)
        except StopIteration:
            raise ValueError(f"the batches end before the first ({_RESTART})") from None
        self._peeked.append(first)
        try:
            self._first = self._read(first)
        except OneTargetPerRow:
            self.rows = model and rows_of_model(model(), first, self._one_hot)
            if self.rows is None:
                raise
            self.has_one_target = True
            self._first = self._read(first)
        self._has_labels = self.rows is None and has_inputs_as_labels(first)
        if loss is not None and (
            self._has_labels or torch.equal(self._first.inputs, self._first.targets)
        ):
            # Targets that are the inputs are right if the loss shifts them.
            self.loss_shift = shift_of(loss, int(self._first.inputs.max()) + 1)
            self._first = self._read(first)
        self.one_hot_width = self._width_of(first)
        self.batch_size, self.bptt_length = self._first.inputs.shape
        self.is_flat = np.ndim(pair_of(first)[0]) == 1
        # The model may have positions for no more tokens. Batches of a token or two mean that the
        # state is carried, so such a model reads any number.
        self.longest_pass = self.bptt_length if self.bptt_length >= SHORTEST_TEXT else None

    def first(self) -> Batch:
        if isinstance(self.rows, Windows):
            return self.rows.few_rows(self._first)
        return self._first if self.rows else with_every_target(self._first)

    def source(self) -> Source:
        return self.real_source()

    def real_source(self) -> Source:
        iterator = self._open()
        # A generator can be read only once: a later reader continues at its current position.
        continues = iterator is self._iterator
        begins_with = self._peeked if continues else []
        self._iterator, self._peeked = iterator, []
        is_begun = not continues

        def take() -> Any:
            nonlocal is_begun
            with self._lock:
                try:
                    item = begins_with.pop() if begins_with else next(iterator)
                except StopIteration:
                    if is_begun:
                        raise
                    raise Exhausted(f"the generator has ended; {_RESTART}") from None
                is_begun = True
                return item

        return Source(take, self._read)

    def trainer(
        self, network: Network, *, steps: int, factor: Callable[[int], float] | None = None
    ) -> Trainer:
        make_optimizer = self._make_optimizer
        if make_optimizer is None:
            without_sparse_gradients(network.module)
            make_optimizer = torch.optim.Adam
        return CodeTrainer(
            network,
            self.real_source(),
            make_optimizer,
            factor=factor,
            clip_norm=self._clip_norm,
        )

    def _open(self) -> Iterator[Any]:
        return iter(self._batches() if callable(self._batches) else self._batches)

    def _width_of(self, item: Any) -> int | None:
        """V of inputs that are one-hot."""
        return np.shape(pair_of(item)[0])[-1] if self._one_hot.get("inputs") else None

    def _read(self, item: Any) -> Batch:
        restarts = not self._carry_state
        if isinstance(self.rows, Windows):
            return self.rows.read(item, known=self._one_hot)
        if self.rows is not None:
            return self.rows.read(item, restarts=restarts, known=self._one_hot)
        batch = read_batch(item, restarts=restarts, known=self._one_hot)
        return next_targets(batch) if self.loss_shift and not self._has_labels else batch
