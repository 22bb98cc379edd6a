"""A layer of simple recurrent units over time, forward and backward.

With a (B, H) the sums, doubled for tanh (see `lstm`), a step is

    h' = f(a)                           a = inputs + h U^T
    f(a) = 2 sigmoid(a) - 1, or max(a, 0)

Backward, with d. the loss's derivative by each, from the last step to the first:

    da = dh' (1 - h'^2) / 2, or dh' where h' > 0
    dh = da U
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqzoo_plugins.recurrent.kernels.product import repeated_product
from seqzoo_plugins.recurrent.kernels.recurrence import (
    Array,
    Gathered,
    Inputs,
    Memories,
    Recurrence,
    StepProduct,
    differentiable,
    doubled,
)

__all__ = ["RNNRecurrence"]


class RNNRecurrence(Recurrence):
    """Memories: hidden."""

    def __init__(self, nonlinearity: Literal["tanh", "relu"]) -> None:
        self._is_tanh = nonlinearity == "tanh"
        self.step_scale = 0.5 if self._is_tanh else 1.0

    def input_map(self, weights: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        matrix, _, input_bias, recurrent_bias = weights
        return self._scaled(matrix), self._scaled(input_bias + recurrent_bias)

    def run(
        self, inputs: Inputs, memories: Memories, weights: tuple[Tensor, ...]
    ) -> tuple[Tensor, Memories]:
        recurrent, _ = self.recurrent_map(weights)
        if differentiable((inputs.rows, recurrent, *memories)):
            outputs, last = _loop(*inputs, recurrent, *memories, self._is_tanh)
            return outputs, (last,)
        hiddens = _forward(inputs, recurrent, *memories, is_tanh=self._is_tanh)
        return hiddens[1:], (hiddens[-1],)

    def recurrent_map(self, weights: tuple[Tensor, ...]) -> tuple[Tensor, None]:
        return self._scaled(weights[1]), None

    def step(
        self, x: Array, before: Sequence[Array], after: Sequence[Array], product: StepProduct
    ) -> None:
        sums = product(before[0], x)
        if self._is_tanh:
            np.tanh(sums, out=after[0])
        else:
            np.maximum(sums, 0, out=after[0])

    def _scaled(self, weights: Tensor) -> Tensor:
        return doubled(weights, 0, 1) if self._is_tanh else weights


def _forward(inputs: Inputs, recurrent: Tensor, hidden: Tensor, *, is_tanh: bool) -> Tensor:
    """Hiddens (T + 1, B, H)."""
    T, B = inputs.shape
    hiddens = hidden.new_empty(T + 1, B, hidden.shape[1])
    h = hiddens[0].copy_(hidden)
    product, minus_one = repeated_product(recurrent, B), hidden.new_tensor(-1.0)
    for x, h_next in zip(inputs.steps(), hiddens[1:].unbind(0), strict=True):
        if is_tanh:
            h = torch.add(minus_one, product(h, x).sigmoid_(), alpha=2, out=h_next)
        else:
            h = torch.clamp_min(product(h, x), 0, out=h_next)
    return hiddens


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        tokens: Tensor | None,
        recurrent: Tensor,
        hidden: Tensor,
        is_tanh: bool,
    ) -> tuple[Tensor, ...]:
        hiddens = _forward(Inputs(rows, tokens), recurrent, hidden, is_tanh=is_tanh)
        ctx.save_for_backward(rows, tokens, recurrent, hiddens)
        ctx.is_tanh = is_tanh
        return hiddens[1:], hiddens[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_hidden: Tensor) -> tuple[Tensor | None, ...]:
        rows, tokens, recurrent, hiddens = ctx.saved_tensors
        # The derivative of each output by the hidden units before the next step; zero at the start.
        earlier = (torch.zeros_like(d_hidden), *d_outputs.contiguous().unbind(0))
        product = repeated_product(recurrent.t(), len(d_hidden))
        dh = d_hidden + d_outputs[-1]
        gathered = Gathered(Inputs(rows, tokens), hiddens)
        for start, stop, da, _ in gathered.spans():
            # First the local derivatives of all steps at once; then the loop over time.
            h = hiddens[start + 1 : stop + 1]
            if ctx.is_tanh:
                torch.addcmul(h.new_tensor(0.5), h, h, value=-0.5, out=da)
            else:
                torch.gt(h, 0, out=da)
            for d_sums, d_earlier in reversed(list(zip(da, earlier[start:stop], strict=True))):
                dh = product(d_sums.mul_(dh), d_earlier)
        return gathered.rows, None, gathered.recurrent, dh, None


_loop: Callable[..., tuple[Tensor, ...]] = _Loop.apply
