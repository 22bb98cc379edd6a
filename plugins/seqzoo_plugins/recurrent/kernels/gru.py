"""A GRU layer over time, forward and backward.

The candidate is a sigmoid too (see `lstm`): its sums are doubled. Let x (B, 3H) be the part of the
sums from the inputs and u = h U^T + b the recurrent part. Then a step is

    r, z = sigmoid(x + u)
    n    = 2 sigmoid(x_n + r u_n) - 1
    h'   = n + z (h - n)

Backward, with d. the loss's derivative by each, from the last step to the first:

    da_z = dh' (h - n) z (1 - z)        dx_n = dh' (1 - z) (1 - n^2) / 2
    da_r = dx_n u_n r (1 - r)           du_n = dx_n r
    dh   = dh' z + (da_r, da_z, du_n) U
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

__all__ = ["GRURecurrence"]


class GRURecurrence(Recurrence):
    """Memories: hidden. torch orders the gates r, z, n."""

    def input_map(self, weights: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        matrix, _, input_bias, _ = weights
        return doubled(matrix, 2, 3), doubled(input_bias, 2, 3)

    def run(
        self, inputs: Inputs, memories: Memories, weights: tuple[Tensor, ...]
    ) -> tuple[Tensor, Memories]:
        recurrent, bias = self.recurrent_map(weights)
        if differentiable((inputs.rows, recurrent, bias, *memories)):
            outputs, last = _loop(*inputs, recurrent, bias, *memories)
            return outputs, (last,)
        hiddens, *_ = _forward(inputs, recurrent, bias, *memories, saving=False)
        return hiddens[1:], (hiddens[-1],)

    def recurrent_map(self, weights: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return doubled(weights[1], 2, 3), doubled(weights[3], 2, 3)

    def step(
        self, x: Array, before: Sequence[Array], after: Sequence[Array], product: StepProduct
    ) -> None:
        (h,), (h_next,) = before, after
        H = h.shape[1]
        u = product(h, None)
        gates, n = u[:, : 2 * H], u[:, 2 * H :]
        gates += x[:, : 2 * H]
        to_sigmoid(np.tanh(gates, out=gates), out=gates)
        n *= gates[:, :H]
        n += x[:, 2 * H :]
        np.tanh(n, out=n)
        np.subtract(h, n, out=h_next)
        h_next *= gates[:, H:]
        h_next += n


def _forward(
    inputs: Inputs, recurrent: Tensor, bias: Tensor, hidden: Tensor, *, saving: bool
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Hiddens (T + 1, B, H), candidates (T, B, H), and T times r, z and u_n in one (B, 3H).

    Without saving only the hiddens are kept, and one step of the candidates.
    """
    T, B = inputs.shape
    H = hidden.shape[1]
    hiddens = hidden.new_empty(T + 1, B, H)
    candidates = hidden.new_empty(T if saving else 1, B, H)
    h = hiddens[0].copy_(hidden)
    product, minus_one = repeated_product(recurrent, B), hidden.new_tensor(-1.0)
    biases = bias.expand(B, -1).contiguous()
    gates = []
    for x, h_next, n in zip(
        inputs.steps(),
        hiddens[1:].unbind(0),
        candidates.expand(T, B, H).unbind(0),
        strict=True,
    ):
        u = product(h, biases)
        u[:, : 2 * H].add_(x[:, : 2 * H]).sigmoid_()
        r, z, u_n = u.view(B, 3, H).unbind(1)
        torch.addcmul(x[:, 2 * H :], r, u_n, out=n).sigmoid_()
        torch.add(minus_one, n, alpha=2, out=n)
        h = torch.lerp(n, h, z, out=h_next)
        if saving:
            gates.append(u)
    return hiddens, candidates, gates


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        tokens: Tensor | None,
        recurrent: Tensor,
        bias: Tensor,
        hidden: Tensor,
    ) -> tuple[Tensor, ...]:
        hiddens, candidates, gates = _forward(
            Inputs(rows, tokens), recurrent, bias, hidden, saving=True
        )
        ctx.save_for_backward(rows, tokens, recurrent, hiddens, candidates, *gates)
        return hiddens[1:], hiddens[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_hidden: Tensor) -> tuple[Tensor | None, ...]:
        rows, tokens, recurrent, hiddens, candidates, *gates = ctx.saved_tensors
        _, B, H = candidates.shape
        # The derivative of each output by the hidden units before the next step; zero at the start.
        earlier = (torch.zeros_like(d_hidden), *d_outputs.contiguous().unbind(0))
        product = repeated_product(recurrent.t(), B)
        dh, carry = d_hidden + d_outputs[-1], torch.empty_like(d_hidden)
        gathered = Gathered(Inputs(rows, tokens), hiddens, apart=True)
        for start, stop, dx, du in gathered.spans():
            # First the local derivatives of all steps at once; then the loop over time.
            n = candidates[start:stop]
            r, z, u_n = torch.stack(gates[start:stop]).unflatten(2, (3, H)).unbind(2)
            slope = tanh_backward(1 - z, n, out=torch.empty_like(n)).mul_(0.5)
            d_gates = du.unflatten(2, (3, H))
            d_r, d_z, d_n = d_gates.unbind(2)
            sigmoid_backward(u_n, r, out=d_r).mul_(slope)
            sigmoid_backward(hiddens[start:stop] - n, z, out=d_z)
            torch.mul(slope, r, out=d_n)
            steps = zip(du, d_gates.unbind(0), z.unbind(0), slope, earlier[start:stop], strict=True)
            for d_sums, by_gate, keep, d_candidate, d_earlier in reversed(list(steps)):
                by_gate.mul_(dh.unsqueeze(1))
                d_candidate.mul_(dh)
                dh = product(d_sums, torch.addcmul(d_earlier, dh, keep, out=carry))
            dx[:, :, : 2 * H] = du[:, :, : 2 * H]
            dx[:, :, 2 * H :] = slope
        return gathered.rows, None, gathered.recurrent, gathered.recurrent_bias, dh


_loop: Callable[..., tuple[Tensor, ...]] = _Loop.apply
