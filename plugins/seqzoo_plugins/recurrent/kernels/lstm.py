"""An LSTM layer over time, forward and backward.

Every gate is a sigmoid, because tanh(x) = 2 sigmoid(2x) - 1 and torch's tanh takes eight times as
long: one call computes all four. Let a (B, 4H) be the sums, with those of the candidate doubled,
and C = 2c the doubled cell. Then a step is

    i, f, s, o = sigmoid(a)             a = inputs + h U^T
    g  = 2s - 1                         the candidate
    C' = f C + 2 i g
    y  = 2 sigmoid(C') - 1              tanh(c')
    h' = o y

Backward, with d. the loss's derivative by each, from the last step to the first:

    dC' += dh' o (1 - y^2) / 2
    da_i = dC' 2 g i (1 - i)            da_f = dC' C f (1 - f)
    da_g = dC' i (1 - g^2)              da_o = dh' y o (1 - o)
    dC   = dC' f                        dh = da U
    dU   = sum over time of da^T h, as one product for many steps
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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
    to_sigmoid,
)
from seqzoo_plugins.recurrent.kernels.torch_internals import sigmoid_backward, tanh_backward

__all__ = ["LSTMRecurrence"]


class LSTMRecurrence(Recurrence):
    """Memories: hidden and cell. torch orders the gates i, f, g, o."""

    def input_map(self, weights: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        matrix, _, input_bias, recurrent_bias = weights
        return doubled(matrix, 2, 4), doubled(input_bias + recurrent_bias, 2, 4)

    def run(
        self, inputs: Inputs, memories: Memories, weights: tuple[Tensor, ...]
    ) -> tuple[Tensor, Memories]:
        recurrent, _ = self.recurrent_map(weights)
        if differentiable((inputs.rows, recurrent, *memories)):
            outputs, *last = _loop(*inputs, recurrent, *memories)
            return outputs, tuple(last)
        hiddens, cells, *_ = _forward(inputs, recurrent, *memories, saving=False)
        return hiddens[1:], (hiddens[-1], cells[-1] / 2)

    def recurrent_map(self, weights: tuple[Tensor, ...]) -> tuple[Tensor, None]:
        return doubled(weights[1], 2, 4), None

    def step(
        self, x: Array, before: Sequence[Array], after: Sequence[Array], product: StepProduct
    ) -> None:
        (h, c), (h_next, c_next) = before, after
        sums = product(h, x).reshape(len(x), 4, -1)
        squashed = np.tanh(sums, out=sums)
        i, f, _, o = to_sigmoid(squashed).swapaxes(0, 1)
        i *= squashed[:, 2]
        f *= c
        np.add(i, f, out=c_next)
        np.tanh(c_next, out=h_next)
        h_next *= o


def _forward(
    inputs: Inputs, recurrent: Tensor, hidden: Tensor, cell: Tensor, *, saving: bool
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """Hiddens and doubled cells (T + 1, B, H), tanh of the cells (T, B, H), gates T times (B, 4H).

    Without saving only the hiddens are kept, and one step of the rest.
    """
    T, B = inputs.shape
    H = hidden.shape[1]
    hiddens = hidden.new_empty(T + 1, B, H)
    cells = hidden.new_empty(T + 1 if saving else 1, B, H)
    squashed = hidden.new_empty(T if saving else 1, B, H)
    h, c = hiddens[0].copy_(hidden), torch.mul(cell, 2, out=cells[0])
    product, minus_one = repeated_product(recurrent, B), hidden.new_tensor(-1.0)
    add, mul, sigmoid = torch.add, torch.mul, torch.sigmoid
    gates = []
    for x, h_next, c_next, y in zip(
        inputs.steps(),
        hiddens[1:].unbind(0),
        (cells[1:] if saving else cells.expand(T, B, H)).unbind(0),
        squashed.expand(T, B, H).unbind(0),
        strict=True,
    ):
        # In place on the result of the product: a buffer for all steps would not be in the cache.
        a = product(h, x).sigmoid_()
        i, f, g, o = a.view(B, 4, H).unbind(1)
        add(minus_one, g, alpha=2, out=g)
        c = mul(f, c, out=c_next).addcmul_(i, g, value=2)
        add(minus_one, sigmoid(c, out=y), alpha=2, out=y)
        h = mul(o, y, out=h_next)
        if saving:
            gates.append(a)
    return hiddens, cells, squashed, gates


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        tokens: Tensor | None,
        recurrent: Tensor,
        hidden: Tensor,
        cell: Tensor,
    ) -> tuple[Tensor, ...]:
        hiddens, cells, squashed, gates = _forward(
            Inputs(rows, tokens), recurrent, hidden, cell, saving=True
        )
        ctx.save_for_backward(rows, tokens, recurrent, hiddens, cells, squashed, *gates)
        return hiddens[1:], hiddens[-1].clone(), cells[-1] / 2

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_outputs: Tensor, d_hidden: Tensor, d_cell: Tensor
    ) -> tuple[Tensor | None, ...]:
        rows, tokens, recurrent, hiddens, cells, squashed, *gates = ctx.saved_tensors
        _, B, H = squashed.shape
        # Each step ends with the derivative by the hidden units before it, which includes that of
        # the output there; before the first step there is no output.
        earlier = (torch.zeros_like(d_hidden), *d_outputs.contiguous().unbind(0))
        product = repeated_product(recurrent.t(), B)
        dc = torch.empty_like(d_cell)
        by_gate = dc.unsqueeze(1)  # (B, 1, H)
        dh, carry = d_hidden + d_outputs[-1], d_cell / 2
        gathered = Gathered(Inputs(rows, tokens), hiddens)
        for start, stop, da, _ in gathered.spans():
            # First the local derivatives of all steps at once; then the loop over time.
            i, f, g, o = torch.stack(gates[start:stop]).unflatten(2, (4, H)).unbind(2)
            d_gates, y = da.unflatten(2, (4, H)), squashed[start:stop]
            d_i, d_f, d_g, d_o = d_gates.unbind(2)
            sigmoid_backward(g, i, out=d_i).mul_(2)
            sigmoid_backward(cells[start:stop], f, out=d_f)
            tanh_backward(i, g, out=d_g)
            sigmoid_backward(y, o, out=d_o)
            steps = zip(
                da,
                d_gates[:, :, :3].unbind(0),
                d_o.unbind(0),
                f.unbind(0),
                tanh_backward(o, y, out=torch.empty_like(y)).unbind(0),
                earlier[start:stop],
                strict=True,
            )
            for d_sums, d_ifg, d_out, forget, slope, d_earlier in reversed(list(steps)):
                torch.addcmul(carry, dh, slope, value=0.5, out=dc)
                d_ifg.mul_(by_gate)
                d_out.mul_(dh)
                torch.mul(dc, forget, out=carry)
                dh = product(d_sums, d_earlier)
        return gathered.rows, None, gathered.recurrent, dh, carry * 2


_loop: Callable[..., tuple[Tensor, ...]] = _Loop.apply
