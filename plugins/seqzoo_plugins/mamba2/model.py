"""The equations of Mamba-2."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.ops import matrix_scan
from seqzoo_plugins.mamba2.options import Mamba2Options
from seqzoo_plugins.residual.decay import HeadDecay
from seqzoo_plugins.residual.feed_forward import GatedFeedForward
from seqzoo_plugins.residual.rms_norm import RMSNorm
from seqzoo_plugins.residual.short_convolution import ShortConvolution
from seqzoo_plugins.residual.stack import Mixer, ResidualStack, scale_residual_outputs

__all__ = ["Mamba2", "Mamba2Layer", "Mamba2Memory"]


class Mamba2Memory(NamedTuple):
    """states: (B, H, N, P) after the last token. inputs: (B, W - 1, I + 2N), of the convolution."""

    states: Float[Tensor, "B H N P"]
    inputs: Float[Tensor, "B before channels"]


class Mamba2Layer(Mixer):
    """A selective state space, Dao and Gu 2024, arXiv:2405.21060, section 7.

        [z, x, B, C, dt] = Linear(u)
        [x, B, C] = silu(convolution([x, B, C]))
        dt = softplus(dt + dt_bias)
        S[t] = exp(-exp(A_log) dt[t]) S[t-1] + B[t] (dt[t] x[t])'      eq. 1, for each head
        y[t] = S[t]' C[t] + skip * x[t]
        out = Linear(norm(y * silu(z)))

    I = expansion * D inner channels, in H heads of P. B and C have N = state_size elements, which
    all heads share (one group). dt, A_log and skip are one number for each head.

    Initialisation is that of the authors' code (state-spaces/mamba): torch's for the linear layers
    and the convolution, skip 1, and exp(A_log) ~ U(1, 16).
    """

    def __init__(self, options: Mamba2Options) -> None:
        super().__init__()
        D, I = options.hidden_size, options.num_channels  # noqa: E741
        H, N = options.num_heads, options.state_size
        self.head_shape = (H, I // H)
        self.sizes = [I, I + 2 * N, H]
        self.parts = [I, N, N]
        self.inputs = nn.Linear(D, sum(self.sizes), bias=False)
        self.convolution = ShortConvolution(I + 2 * N, options.convolution)
        self.decay = HeadDecay(H, lowest_rate=1.0)
        self.skip = nn.Parameter(torch.ones(H))
        self.norm = RMSNorm(I)
        self.outputs = nn.Linear(I, D, bias=False)

    def initial_state(self, batch_size: int) -> Mamba2Memory:
        H, P = self.head_shape
        states = self.skip.new_zeros(batch_size, H, self.parts[1], P)
        return Mamba2Memory(states, self.convolution.initial_state(batch_size))

    def forward(
        self, x: Float[Tensor, "B T D"], state: Mamba2Memory
    ) -> tuple[Float[Tensor, "B T D"], Mamba2Memory]:
        gate, x, steps = self.inputs(x).split(self.sizes, dim=-1)
        x, inputs = self.convolution(x, state.inputs)
        x, keys, queries = F.silu(x).split(self.parts, dim=-1)
        x = x.unflatten(-1, self.head_shape)  # (B, T, H, P)
        log_decay, steps = self.decay(steps)  # (B, T, H)
        y, states = matrix_scan(
            queries.unsqueeze(1),  # (B, 1, T, N): shared by the heads
            keys.unsqueeze(1),
            (x * steps.unsqueeze(-1)).transpose(1, 2),
            log_decay.transpose(1, 2),
            state.states,
        )
        y = torch.addcmul(y.transpose(1, 2), x, self.skip.unsqueeze(-1)).flatten(2)
        y = self.outputs(self.norm(y * F.silu(gate)))
        return y, Mamba2Memory(states, inputs)


class Mamba2(ResidualStack):
    """Residual blocks of Mamba-2 layers; a gated feed-forward part only where mlp_ratio is not 0.

    What is added to the residual stream starts divided by the root of the number of additions, as
    in the authors' code.
    """

    def __init__(self, options: Mamba2Options, *, vocab_size: int) -> None:
        mixers = [Mamba2Layer(options) for _ in range(options.num_layers)]
        super().__init__(mixers, options, vocab_size=vocab_size, feed_forward=GatedFeedForward)
        outputs = [mixer.outputs for mixer in mixers]
        outputs += [block.mlp.outputs for block in self.blocks if block.mlp is not None]
        scale_residual_outputs(outputs, additions=len(outputs))
