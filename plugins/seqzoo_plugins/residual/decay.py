"""The decay of Mamba-2 and Gated DeltaNet: one for each head, from a step that reads the input."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["HeadDecay"]


class HeadDecay(nn.Module):
    """dt = softplus(x + dt_bias), log decay = -exp(A_log) * dt (Dao and Gu 2024, arXiv:2405.21060,
    section 7).

    Initialisation: exp(A_log) ~ U(lowest_rate, 16); dt_bias such that dt is log-uniform between
    0.001 and 0.1 where x is zero.
    """

    def __init__(self, num_heads: int, *, lowest_rate: float) -> None:
        super().__init__()
        self.A_log = nn.Parameter(torch.empty(num_heads).uniform_(lowest_rate, 16.0).log())
        steps = torch.empty(num_heads).uniform_(math.log(0.001), math.log(0.1)).exp()
        # The inverse of softplus: log(exp(dt) - 1).
        self.dt_bias = nn.Parameter(torch.expm1(steps).log())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(..., H) to the log decay, 0 or less, and dt, both (..., H)."""
        steps = F.softplus(x + self.dt_bias)
        return -self.A_log.exp() * steps, steps
