"""A model with one answer for each row, a classifier or a regression, as the checks see it.

Every place of a row gets the row's answer and its target: then the checks that ask nothing about
time can look at it as at any other model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.doctor.evidence.network import Forward, Loss, Network, call_plainly
from seqzoo.doctor.subjects.code_batches import read_rows
from seqzoo.doctor.subjects.code_fit import one_hot_readings, reads, tried
from seqzoo.doctor.subjects.code_pairs import pair_of
from seqzoo.doctor.subjects.code_windows import Windows
from seqzoo.model.runtime import in_inference_mode
from seqzoo.plugin.contracts import Batch, State

__all__ = ["ONE_TARGET", "Rows", "rows_of_model"]

ONE_TARGET = "one target for each row"
"""Why a check does not run that asks about the next token."""

_RUN = {
    "stream.contract",
    "stream.aliasing",
    "model.contract",
    "model.rows",
    "model.eval_mode",
    "model.gradients",
    "model.finite",
    "model.registered",
    "model.untouched",
    "optimisation.precision",
}
_OF_CLASSES = {"model.loss", "optimisation.overfit"}


@dataclass(frozen=True)
class Rows:
    """How the answers and the targets of a training look.

    call: how the model is called. answer: the dimensions of an answer, (B,) or (B, C). answers: C,
    1 for (B,). targets: the dimensions of the targets, (B,) or (B, 1). numbers: the targets are
    numbers and not classes. length: T, if no other can be read.
    """

    call: Forward
    answer: int
    answers: int
    targets: int
    numbers: bool
    length: int | None

    def skips(self, check: str) -> str:
        """Why a check does not run; "" if it does."""
        if check.startswith("environment.") or check in _RUN:
            return ""
        if check in _OF_CLASSES:
            if self.numbers:
                return f"{ONE_TARGET}, a number"
            return f"{ONE_TARGET}, and one answer" if self.answers == 1 else ""
        return ONE_TARGET

    def read(self, item: Any, *, restarts: bool, known: dict[str, bool]) -> Batch:
        """A batch with the target of a row at each of its places."""
        inputs, targets = read_rows(item, known)
        at_each_place = targets[:, None].expand(inputs.shape).clone()
        resets = torch.full((len(inputs),), restarts)
        return Batch(inputs=inputs, targets=at_each_place, restarts=resets)

    def adapted(self, network: Network, loss: Loss | None) -> Network:
        """The network with logits (B, T, C), and the user's loss of the targets that count.

        loss: None for the usual one: cross-entropy, binary if there is one answer, or for numbers
        the mean squared error.
        """
        call = self.call

        def forward(module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
            given = tokens
            if self.length is not None:
                times = -(-self.length // tokens.shape[1])
                given = tokens.repeat(1, times)[:, : self.length]
            answer = _answer(call, module, given)
            answer = answer if answer.ndim == 2 else answer[:, None]
            return answer[:, None].expand(*tokens.shape, answer.shape[-1]), None

        def of_rows(logits: Tensor, targets: Tensor) -> Tensor:
            if logits.stride(1) == 0:  # the answers of rows, repeated above
                logits, targets = logits[:, -1], targets[:, -1]
            else:
                logits, targets = logits.flatten(0, 1), targets.flatten()
            is_float = self.numbers or self.answers == 1
            wanted = targets.to(logits.dtype) if is_float else targets
            if loss is None:
                return _usual_loss(logits, wanted)
            return loss(
                logits if self.answer == 2 else logits.squeeze(-1),
                wanted if self.targets == 1 else wanted[:, None],
            )

        return replace(network, forward=forward, loss=of_rows)


def rows_of_model(network: Network, item: Any, known: dict[str, bool]) -> Rows | Windows | None:
    """None if the model has no answer for each row of these batches.

    item: a batch with one target for each row.
    """
    inputs, targets = read_rows(item, known)
    network = _called(network, inputs, item, known)

    def answered() -> Any:
        given = network.copied()
        with in_inference_mode(given.module):
            return _answer(given.forward, given.module, inputs.to(given.device))

    answer = tried(answered)  # model.contract reports what the model cannot do
    if not isinstance(answer, Tensor) or answer.ndim not in (1, 2) or len(answer) != len(inputs):
        return None
    numbers = targets.is_floating_point()
    shape = tuple(getattr(pair_of(item)[1], "shape", ()))
    dimensions = 2 if shape == (len(inputs), 1) else 1
    length = inputs.shape[1]
    is_exact = not reads(network, inputs[:, : max(1, length // 2)])
    if not numbers and _guesses_tokens(network, answer):
        return Windows(network.forward, dimensions, length, is_exact)
    answers = answer.shape[1] if answer.ndim == 2 else 1
    read = length if is_exact else None
    return Rows(network.forward, answer.ndim, answers, dimensions, numbers, read)


def _called(network: Network, inputs: Tensor, item: Any, known: dict[str, bool]) -> Network:
    """The network, given one-hot rows if it reads only those."""
    if network.forward is not call_plainly or reads(network, inputs):
        return network
    width = np.shape(pair_of(item)[0])[-1] if known.get("inputs") else None
    for forward in one_hot_readings(network.module, inputs, width):
        other = replace(network, forward=forward)
        if reads(other, inputs):
            return other
    return network


def _usual_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Of logits (N, C) and targets (N,), the mean."""
    if not targets.is_floating_point():
        return F.cross_entropy(logits, targets)
    wanted = targets[:, None].expand(logits.shape)
    if bool(((targets == 0) | (targets == 1)).all()):
        return F.binary_cross_entropy_with_logits(logits, wanted)
    return F.mse_loss(logits, wanted)


def _answer(call: Callable[..., Any], module: nn.Module, tokens: Tensor) -> Any:
    return call(module, tokens, None)[0]


def _guesses_tokens(network: Network, answer: Tensor) -> bool:
    """Whether an answer has as many numbers as the model's vocabulary: then it guesses tokens."""
    embeddings = [m for m in network.module.modules() if isinstance(m, nn.Embedding)]
    sizes = {embedding.num_embeddings for embedding in embeddings}
    sizes.add(getattr(network.forward, "one_hot_width", 0))
    return answer.ndim == 2 and answer.shape[1] in sizes
