"""The linear recurrence h[t] = a[t] * h[t-1] + b[t], element by element."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from seqzoo.ops.precision import at_least_float32

__all__ = ["linear_scan", "linear_scan_by_step"]

# Below this many elements in a step, the call of a kernel takes longer than the arithmetic. Blocks
# that are scanned side by side then save more calls than their second pass costs (on a CPU).
_WIDE_STEP = 4096


def linear_scan(factors: Tensor, inputs: Tensor, before: Tensor | None = None) -> Tensor:
    """h[t] = factors[t] * h[t-1] + inputs[t] for all t, differentiable (twice, too).

    factors, inputs: (B, T, ...), or shapes that broadcast to it.
    before: (B, ...), h before the first step; None for zeros.
    Returns (B, T, ...): h after each step. The state to carry is [:, -1].

    Plain products are used, no logarithms: inputs can have any sign, and factors up to 1 in size
    cannot overflow. Half precision is computed, and returned, in float32. Raises ValueError for a
    `before` of another shape. `torch.func` has no rule for it; the form by step has.
    Source: the scan over blocks of Blelloch 1990, "Prefix sums and their applications", 1.2.
    """
    factors, inputs, before = _of_one_kind(
        at_least_float32(factors), at_least_float32(inputs), before
    )
    if inputs.shape[1] <= 1:
        return torch.addcmul(inputs, factors, before.unsqueeze(1))
    result: Tensor = _LinearScan.apply(  # type: ignore[no-untyped-call]
        factors, inputs, before
    )
    return result


def linear_scan_by_step(factors: Tensor, inputs: Tensor, before: Tensor | None = None) -> Tensor:
    """The same, step by step, as the equation says. It is slow; the other form is compared with it.

    See `linear_scan` for the shapes.
    """
    factors, inputs, state = _of_one_kind(factors, inputs, before)
    if inputs.shape[1] == 0:
        return inputs
    states = []
    for factor, value in zip(factors.unbind(1), inputs.unbind(1), strict=True):
        state = factor * state + value
        states.append(state)
    return torch.stack(states, dim=1)


def _of_one_kind(
    factors: Tensor, inputs: Tensor, before: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """All of one dtype, (B, T, ...), (B, T, ...) and (B, ...)."""
    factors, inputs = torch.broadcast_tensors(factors, inputs)
    shape = inputs.shape[:1] + inputs.shape[2:]
    if before is None:
        before = inputs.new_zeros(shape)
    elif before.shape != shape:
        raise ValueError(
            f"linear_scan: before has the shape {tuple(before.shape)}, expected {tuple(shape)}: "
            f"that of inputs without its second dimension."
        )
    dtype = reduce(torch.promote_types, (factors.dtype, inputs.dtype, before.dtype))
    return factors.to(dtype), inputs.to(dtype), before.to(dtype)


class _LinearScan(torch.autograd.Function):
    """The gradient of a linear recurrence is the same recurrence in the other direction:

    d_inputs[t] = d_h[t] + factors[t+1] * d_inputs[t+1]
    d_factors[t] = d_inputs[t] * h[t-1]
    d_before = d_inputs[0] * factors[0]
    """

    @staticmethod
    def forward(ctx: Any, factors: Tensor, inputs: Tensor, before: Tensor) -> Tensor:
        states = _scan(factors, inputs, before)
        ctx.save_for_backward(factors, before, states)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (d_states,) = gradients
        factors, before, states = ctx.saved_tensors
        following, last = factors[:, 1:], d_states[:, -1]
        if torch.is_grad_enabled():  # a second derivative is wanted
            reverse = linear_scan(following.flip(1), d_states[:, :-1].flip(1), last)
            d_inputs = torch.cat([reverse.flip(1), last.unsqueeze(1)], dim=1)
            earlier = torch.cat([before.unsqueeze(1), states[:, :-1]], dim=1)
            d_factors = d_inputs * earlier
        else:
            d_inputs = torch.empty_like(d_states)
            d_inputs[:, -1] = last
            _scan_reversed(following, d_states[:, :-1], last, out=d_inputs[:, :-1])
            d_factors = torch.empty_like(d_inputs)
            torch.mul(d_inputs[:, 0], before, out=d_factors[:, 0])
            torch.mul(d_inputs[:, 1:], states[:, :-1], out=d_factors[:, 1:])
        return d_factors, d_inputs, d_inputs[:, 0] * factors[:, 0]


def _scan(factors: Tensor, inputs: Tensor, before: Tensor) -> Tensor:
    states = torch.empty_like(inputs, memory_format=torch.contiguous_format)
    if _is_wide(before):
        _steps(factors.unbind(1), inputs.unbind(1), states.unbind(1), before)
    else:
        _blocks(factors, inputs, before, out=states)
    return states


def _scan_reversed(factors: Tensor, inputs: Tensor, after: Tensor, *, out: Tensor) -> None:
    """The same from the last step to the first."""
    if _is_wide(after):
        backwards = [each.unbind(1)[::-1] for each in (factors, inputs, out)]
        _steps(backwards[0], backwards[1], backwards[2], after)
    else:
        states = torch.empty_like(inputs, memory_format=torch.contiguous_format)
        _blocks(factors.flip(1), inputs.flip(1), after, out=states)
        out.copy_(states.flip(1))


def _is_wide(state: Tensor) -> bool:
    return state.device.type == "cpu" and state.numel() >= _WIDE_STEP


def _steps(
    factors: Iterable[Tensor], inputs: Iterable[Tensor], out: Iterable[Tensor], state: Tensor
) -> None:
    for factor, value, place in zip(factors, inputs, out, strict=True):
        torch.addcmul(value, factor, state, out=place)
        state = place


def _blocks(factors: Tensor, inputs: Tensor, before: Tensor, *, out: Tensor) -> None:
    """About sqrt(T) blocks of sqrt(T) steps: every block from zero, then the states between them.

    The product of the factors from the start of the block takes the state before it to each step.
    """
    B, T = inputs.shape[:2]
    length = max(1, math.isqrt(T))
    whole = T // length * length
    shape = (B, whole // length, length, *inputs.shape[2:])
    states = inputs[:, :whole].reshape(shape).clone()
    products = factors[:, :whole].reshape(shape).clone()
    for step in range(1, length):
        states[:, :, step].addcmul_(products[:, :, step], states[:, :, step - 1])
        products[:, :, step].mul_(products[:, :, step - 1])
    starts = torch.empty_like(states[:, :, 0])
    for block, (product, end) in enumerate(
        zip(products[:, :, -1].unbind(1), states[:, :, -1].unbind(1), strict=True)
    ):
        starts[:, block] = before
        before = torch.addcmul(end, product, before)
    states.addcmul_(products, starts.unsqueeze(2))
    out[:, :whole] = states.reshape(B, whole, *inputs.shape[2:])
    rest = slice(whole, T)
    _steps(factors[:, rest].unbind(1), inputs[:, rest].unbind(1), out[:, rest].unbind(1), before)
