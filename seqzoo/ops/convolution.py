"""A short causal convolution of each channel, with the inputs before the first token as state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqzoo.ops.shapes import expect_shapes

__all__ = ["causal_convolution"]


def causal_convolution(
    inputs: Tensor, weight: Tensor, bias: Tensor | None, before: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """y[t] = bias + sum over i < W of weight[i] * x[t - W + 1 + i], channel by channel.

    inputs: (B, T, D). weight: (W, D), the newest input last. bias: (D,).
    before: (B, W - 1, D), the inputs before the first one; None for zeros, as before a text.
    Returns (B, T, D), and the last W - 1 inputs. Raises ValueError for a wrong shape.
    """
    expect_shapes(
        "causal_convolution", inputs=(inputs, "B T D"), weight=(weight, "W D"), bias=(bias, "D")
    )
    (B, T, D), W = inputs.shape, len(weight)
    if before is None:
        before = inputs.new_zeros(B, W - 1, D)
    elif before.shape != (B, W - 1, D):
        raise ValueError(
            f"causal_convolution: before has the shape {tuple(before.shape)}, expected "
            f"{(B, W - 1, D)}: the W - 1 inputs before the first one."
        )
    read = torch.cat([before.to(inputs.dtype), inputs], dim=1)
    if T == 1:
        outputs = (read * weight).sum(1, keepdim=True)
        outputs = outputs if bias is None else outputs + bias
    else:
        outputs = _Convolution.apply(read, weight, bias)  # type: ignore[no-untyped-call]
    return outputs, read[:, T:].to(before.dtype)


class _Convolution(torch.autograd.Function):
    """(B, W - 1 + T, D) to (B, T, D): a few products of whole tensors.

    On a CPU they take half of the time of torch's grouped convolution. The gradient is written here
    because that of a slice would be filled up with zeros, once for each of the W products.
    """

    @staticmethod
    def forward(ctx: Any, read: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(read, weight)
        ctx.has_bias = bias is not None
        W = len(weight)
        T = read.shape[1] - W + 1
        outputs = read[:, W - 1 :] * weight[W - 1]
        for place in range(W - 1):
            outputs.addcmul_(read[:, place : place + T], weight[place])
        return outputs if bias is None else outputs.add_(bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        (d_outputs,) = gradients
        read, weight = ctx.saved_tensors
        T = d_outputs.shape[1]
        d_read, d_weight = torch.zeros_like(read), []
        for place in range(len(weight)):
            d_read[:, place : place + T].addcmul_(d_outputs, weight[place])
            d_weight.append((read[:, place : place + T] * d_outputs).sum((0, 1)))
        d_bias = d_outputs.sum((0, 1)) if ctx.has_bias else None
        return d_read, torch.stack(d_weight), d_bias
