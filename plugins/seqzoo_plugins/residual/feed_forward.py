"""The feed-forward part of a block, plain or gated."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["FeedForward", "GatedFeedForward"]


class FeedForward(nn.Module):
    """W2 f(W1 x) (Vaswani et al. 2017, arXiv:1706.03762, eq. 2), with gelu unless f is given."""

    def __init__(
        self, hidden_size: int, mlp_size: int, activation: Callable[[Tensor], Tensor] = F.gelu
    ) -> None:
        super().__init__()
        self.activation = activation
        self.inputs = nn.Linear(hidden_size, mlp_size, bias=False)
        self.outputs = nn.Linear(mlp_size, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outputs(self.activation(self.inputs(x)))
        return outputs


class GatedFeedForward(nn.Module):
    """W3 (f(W1 x) * W2 x) (Shazeer 2020, arXiv:2002.05202, eq. 5 and 6): SwiGLU with silu, GeGLU
    with gelu.
    """

    def __init__(
        self, hidden_size: int, mlp_size: int, activation: Callable[[Tensor], Tensor] = F.silu
    ) -> None:
        super().__init__()
        self.activation = activation
        self.gates = nn.Linear(hidden_size, mlp_size, bias=False)
        self.inputs = nn.Linear(hidden_size, mlp_size, bias=False)
        self.outputs = nn.Linear(mlp_size, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outputs(self.activation(self.gates(x)) * self.inputs(x))
        return outputs
