"""The equations of Gated DeltaNet."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.ops import Removal, matrix_scan
from seqzoo_plugins.gated_deltanet.options import GatedDeltaNetOptions
from seqzoo_plugins.residual.decay import HeadDecay
from seqzoo_plugins.residual.feed_forward import GatedFeedForward
from seqzoo_plugins.residual.rms_norm import RMSNorm, unit_length
from seqzoo_plugins.residual.short_convolution import ShortConvolution
from seqzoo_plugins.residual.stack import Mixer, ResidualStack

__all__ = ["GatedDeltaNet", "GatedDeltaNetLayer", "GatedDeltaNetMemory"]


class GatedDeltaNetMemory(NamedTuple):
    """states: (B, H, K, E) after the last token. inputs: (B, W - 1, H (2K + E))."""

    states: Float[Tensor, "B H K E"]
    inputs: Float[Tensor, "B before channels"]


class GatedDeltaNetLayer(Mixer):
    """A matrix state with decay and the delta rule, Yang et al. 2024, arXiv:2412.06464, eq. 10.

        [q, k, v] = silu(convolution(Linear(x)))       section 3.4, without a bias
        q, k = unit_length(q), unit_length(k)          for each head
        beta = sigmoid(Linear(x))                      how much of the old value is replaced
        log d = -exp(A_log) softplus(Linear(x) + dt_bias)
        S[t] = d[t] (I - beta[t] k[t] k[t]') S[t-1] + beta[t] k[t] v[t]'
        o[t] = S[t]' q[t] / sqrt(K)
        out = Linear(norm(o) * silu(Linear(x)))        norm of each head, with a common gain

    H heads with keys of K and values of E elements. One matrix holds all Linear(x).

    Initialisation: torch's for the linear layers and the convolution, as in the public layer
    (fla-org/flash-linear-attention); the N(0, 0.02²) of its models is torch's at their width of
    2048. exp(A_log) ~ U(0, 16).
    """

    def __init__(self, options: GatedDeltaNetOptions) -> None:
        super().__init__()
        D, H = options.hidden_size, options.num_heads
        K, E = options.key_size, options.value_size
        self.key_shape, self.value_shape = (2, H, K), (H, E)
        self.sizes = [H * (2 * K + E), H * E, H, H]
        self.parts = [2 * H * K, H * E]
        self.inputs = nn.Linear(D, sum(self.sizes), bias=False)
        self.convolution = ShortConvolution(self.sizes[0], options.convolution, bias=False)
        # Not 0: the logarithm of a rate has to be finite.
        self.decay = HeadDecay(H, lowest_rate=1e-4)
        # Dividing by sqrt(K) before a norm is the same as multiplying its eps by K.
        self.norm = RMSNorm(E, eps=1e-5 * K)
        self.outputs = nn.Linear(H * E, D, bias=False)

    def initial_state(self, batch_size: int) -> GatedDeltaNetMemory:
        (_, H, K), (_, E) = self.key_shape, self.value_shape
        states = self.norm.weight.new_zeros(batch_size, H, K, E)
        return GatedDeltaNetMemory(states, self.convolution.initial_state(batch_size))

    def forward(
        self, x: Float[Tensor, "B T D"], state: GatedDeltaNetMemory
    ) -> tuple[Float[Tensor, "B T D"], GatedDeltaNetMemory]:
        x, gate, strength, steps = self.inputs(x).split(self.sizes, dim=-1)
        x, inputs = self.convolution(x, state.inputs)
        directions, values = F.silu(x).split(self.parts, dim=-1)
        directions = unit_length(directions.unflatten(-1, self.key_shape))
        queries, keys = directions.transpose(1, 3).unbind(2)  # (B, H, T, K)
        values = values.unflatten(-1, self.value_shape).transpose(1, 2)  # (B, H, T, E)
        strength = torch.sigmoid(strength).mT.unsqueeze(-1)  # (B, H, T, 1)
        log_decay = self.decay(steps)[0].mT  # (B, H, T)
        removal = Removal(read=-strength * log_decay.exp().unsqueeze(-1) * keys)
        y, states = matrix_scan(queries, keys, strength * values, log_decay, state.states, removal)
        y = self.norm(y.transpose(1, 2)).flatten(2) * F.silu(gate)
        return self.outputs(y), GatedDeltaNetMemory(states, inputs)


class GatedDeltaNet(ResidualStack):
    """Residual blocks of Gated DeltaNet layers and a gated feed-forward part (section 3.4)."""

    def __init__(self, options: GatedDeltaNetOptions, *, vocab_size: int) -> None:
        super().__init__(
            [GatedDeltaNetLayer(options) for _ in range(options.num_layers)],
            options,
            vocab_size=vocab_size,
            feed_forward=GatedFeedForward,
        )
