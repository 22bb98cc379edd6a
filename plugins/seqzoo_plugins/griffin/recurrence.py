"""The real-gated linear recurrent unit, and the block around it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.ops import linear_scan
from seqzoo_plugins.griffin.options import GriffinOptions
from seqzoo_plugins.residual.short_convolution import ShortConvolution
from seqzoo_plugins.residual.stack import Mixer

__all__ = ["RGLRU", "Recurrent", "RecurrentBlock"]

_SHARPNESS = 8.0
"""The paper's c, in eq. 3."""


class Recurrent(NamedTuple):
    """hidden: (B, I), h after the last token. inputs: (B, W - 1, I), of the convolution."""

    hidden: Float[Tensor, "B I"]
    inputs: Float[Tensor, "B before I"]


class RGLRU(nn.Module):
    """Real-gated linear recurrent unit, De et al. 2024, arXiv:2402.19427, section 2.4:

        r[t] = sigmoid(W_a x[t] + b_a)                                          (eq. 1)
        i[t] = sigmoid(W_x x[t] + b_x)                                          (eq. 2)
        a[t] = a^(c r[t]),  a = sigmoid(rate),  c = 8                           (eq. 3)
        h[t] = a[t] * h[t-1] + sqrt(1 - a[t]²) * (i[t] * x[t])                  (eq. 4)

    W_a and W_x are block-diagonal, one block for each head.
    Initialisation: a^c is uniform in [0.9, 0.999] (section 2.4), blocks N(0, 1 / block width).
    """

    def __init__(self, num_units: int, num_heads: int) -> None:
        super().__init__()
        size = num_units // num_heads
        self.blocks = nn.Parameter(torch.empty(num_heads, 2 * size, size))
        """Both matrices, (heads, out, in): the recurrence gates first."""
        self.gate_bias = nn.Parameter(torch.zeros(num_heads, 2 * size))
        self.rate = nn.Parameter(torch.empty(num_units))
        nn.init.normal_(self.blocks, std=size**-0.5)
        with torch.no_grad():
            kept = torch.empty(num_units).uniform_(0.9, 0.999) ** (1 / _SHARPNESS)
            self.rate.copy_(torch.logit(kept))

    def forward(self, x: Float[Tensor, "B T I"], before: Float[Tensor, "B I"]) -> Tensor:
        """(B, T, I): h after each token."""
        parts = x.unflatten(-1, (len(self.blocks), -1))  # (B, T, heads, size)
        gates = torch.einsum("btni,noi->btno", parts, self.blocks) + self.gate_bias
        recurrence, inputs = (each.flatten(2) for each in torch.sigmoid(gates).chunk(2, dim=-1))
        log_decay = _SHARPNESS * F.logsigmoid(self.rate) * recurrence
        # 1 - a², without losing the digits of an a near 1; never 0, where a root has no gradient.
        left = (-torch.expm1(2 * log_decay)).clamp_min(1e-12)
        return linear_scan(log_decay.exp(), left.sqrt() * (inputs * x), before)


class RecurrentBlock(Mixer):
    """W_out (gelu(W_gate x) * RG-LRU(convolution(W_in x))), De et al. 2024, section 2.3."""

    def __init__(self, options: GriffinOptions) -> None:
        super().__init__()
        D, num_units = options.hidden_size, options.num_units
        self.gate = nn.Linear(D, num_units)
        self.inputs = nn.Linear(D, num_units)
        self.convolution = ShortConvolution(num_units, options.convolution)
        self.recurrence = RGLRU(num_units, options.num_heads)
        self.outputs = nn.Linear(num_units, D)

    def initial_state(self, batch_size: int) -> Recurrent:
        hidden = self.recurrence.rate.new_zeros(batch_size, len(self.recurrence.rate))
        return Recurrent(hidden, self.convolution.initial_state(batch_size))

    def forward(self, x: Float[Tensor, "B T D"], state: Recurrent) -> tuple[Tensor, Recurrent]:
        convolved, inputs = self.convolution(self.inputs(x), state.inputs)
        hidden = self.recurrence(convolved, state.hidden)
        gate = F.gelu(self.gate(x), approximate="tanh")
        return self.outputs(gate * hidden), Recurrent(hidden[:, -1], inputs)
