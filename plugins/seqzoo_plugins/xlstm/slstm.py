"""The sLSTM layer, Beck et al. 2024, arXiv:2405.04517."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo_plugins.residual.short_convolution import ShortConvolution
from seqzoo_plugins.residual.stack import Mixer
from seqzoo_plugins.xlstm.blocks import BlockLinear, HeadNorm, small_std
from seqzoo_plugins.xlstm.options import XLSTMOptions
from seqzoo_plugins.xlstm.slstm_loop import slstm

__all__ = ["SLSTMLayer", "SLSTMMemory"]

# A first input gate is above it, so that no empty memory is divided by an empty normaliser.
_EMPTY = -1e4


class SLSTMMemory(NamedTuple):
    """hidden, cell, normaliser, maximum: (B, D); cell and normaliser are times exp(-maximum).
    inputs: (B, W - 1, D), of the convolution.
    """

    hidden: Float[Tensor, "B D"]
    cell: Float[Tensor, "B D"]
    normaliser: Float[Tensor, "B D"]
    maximum: Float[Tensor, "B D"]
    inputs: Float[Tensor, "B before D"]


class SLSTMLayer(Mixer):
    """A recurrent layer whose input gate is an exponential. The sums of the gates are

        i, f = W silu(convolution(x)) + R h[t-1] + b        z, o = W x + R h[t-1] + b

    with W and R block-diagonal, a block for each head. The output is norm(h), see `slstm`.

    Initialisation: that of the public code. R starts at 0; the forget gates' biases are 5 to -7,
    and later blocks have more large ones.
    """

    def __init__(self, options: XLSTMOptions, *, layer: int) -> None:
        super().__init__()
        D, self.num_heads = options.hidden_size, options.num_heads
        N = D // self.num_heads
        self.convolution = ShortConvolution(D, options.convolution)
        self.input_gate, self.forget_gate, self.candidate, self.output_gate = (
            BlockLinear(self.num_heads, N, std=small_std(D)) for _ in range(4)
        )
        self.recurrent = nn.Parameter(torch.zeros(4, self.num_heads, N, N))
        self.bias = nn.Parameter(torch.zeros(4, self.num_heads, N))  # of i, f, z, o
        self.norm = HeadNorm(D)
        depth = layer / (options.num_layers - 1) if options.num_layers > 1 else 0.0
        with torch.no_grad():
            self.bias[1] = 5 - 12 * torch.linspace(0, 1, N) ** (0.3 + 1.3 * depth)

    def initial_state(self, batch_size: int) -> SLSTMMemory:
        zeros = self.bias.new_zeros(batch_size, self.bias[0].numel())
        return SLSTMMemory(
            zeros, zeros, zeros, zeros + _EMPTY, self.convolution.initial_state(batch_size)
        )

    def forward(
        self, x: Float[Tensor, "B T D"], state: SLSTMMemory
    ) -> tuple[Float[Tensor, "B T D"], SLSTMMemory]:
        B, heads = x.shape[0], self.num_heads
        convolved, inputs = self.convolution(x, state.inputs)
        convolved = F.silu(convolved)
        sums = [self.input_gate(convolved), self.forget_gate(convolved)]
        sums += [self.candidate(x), self.output_gate(x)]
        # (B, T, gates, heads, N) to (T, heads, B, gates N)
        gates = torch.stack(sums, dim=2).unflatten(3, (heads, -1)) + self.bias
        gates = gates.permute(1, 3, 0, 2, 4).flatten(3)
        recurrent = self.recurrent.permute(1, 3, 0, 2).flatten(2)  # (heads, in, gates out)
        memories = (leaf.view(B, heads, -1).transpose(0, 1) for leaf in state[:4])
        hiddens, *after = slstm(gates, recurrent, *memories)
        hidden, cell, normaliser, maximum = (
            leaf.transpose(0, 1).flatten(1).to(state.cell.dtype) for leaf in (hiddens[-1], *after)
        )
        y = self.norm(hiddens.permute(2, 0, 1, 3))
        return y, SLSTMMemory(hidden, cell, normaliser, maximum, inputs)
