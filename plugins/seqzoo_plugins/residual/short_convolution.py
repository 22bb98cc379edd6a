"""A short causal convolution as a layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqzoo.ops import causal_convolution

__all__ = ["ShortConvolution"]


class ShortConvolution(nn.Module):
    """Each channel is convolved with W weights of its own, the newest input last.

    Weights and bias start at U(-1/sqrt(W), 1/sqrt(W)), as in torch's Conv1d.
    """

    def __init__(self, num_channels: int, width: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, num_channels))
        self.bias = nn.Parameter(torch.empty(num_channels)) if bias else None
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(width**-0.5), width**-0.5)

    def initial_state(self, batch_size: int) -> Tensor:
        """(B, W - 1, D): no inputs yet."""
        width, num_channels = self.weight.shape
        return self.weight.new_zeros(batch_size, width - 1, num_channels)

    def forward(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, D) and the inputs before it, to (B, T, D) and the last W - 1 inputs."""
        return causal_convolution(x, self.weight, self.bias, before)
