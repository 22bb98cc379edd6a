"""Linear maps of blocks of units, and the norm of each head, for both layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["BlockLinear", "HeadNorm", "small_std"]

# For one token, the product of many small matrices takes three times as long as this.
_FEW_TOKENS = 4


def small_std(hidden_size: int) -> float:
    """Standard deviation of most weights (Nguyen and Salazar 2019, arXiv:1910.05895)."""
    return math.sqrt(2 / (5 * hidden_size))


class BlockLinear(nn.Module):
    """A block-diagonal matrix without bias: (B, T, D) to (B, T, D). weight: (blocks, out, in)."""

    def __init__(self, num_blocks: int, size: int, *, std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_blocks, size, size))
        nn.init.normal_(self.weight, std=std)

    def forward(self, x: Tensor) -> Tensor:
        blocks = x.unflatten(-1, self.weight.shape[::2])  # (B, T, blocks, in)
        # A program of torch.export has one form for every number of rows.
        if not torch.compiler.is_compiling() and len(x) * x.shape[1] <= _FEW_TOKENS:
            outputs: Tensor = (blocks.unsqueeze(-2) * self.weight).sum(-1)
        else:
            outputs = torch.einsum("...ni,noi->...no", blocks, self.weight)
        return outputs.flatten(-2)


class HeadNorm(nn.Module):
    """LayerNorm of each head, (B, T, heads, E) to (B, T, D), without bias."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:]).flatten(2) * self.weight
