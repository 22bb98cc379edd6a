"""How RWKV-7 starts: the values of the public training code, by layer and channel.

There the last matrix of each part is zero, so that the first update changes little else. Here it is
small, so that every parameter learns from the first update.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqzoo_plugins.rwkv7.layers import ChannelMix, TimeMix

__all__ = ["initialise_channel_mix", "initialise_time_mix"]

_SMALL_GAIN = 0.1


@torch.no_grad()
def initialise_time_mix(mix: TimeMix, *, layer: int, num_layers: int) -> None:
    """Later layers have longer memories and look more at the token before."""
    D = mix.mixes.shape[1]
    N = D // mix.num_heads
    depth = layer / (num_layers - 1) if num_layers > 1 else 0.0
    remaining = 1 - layer / num_layers
    channel = torch.arange(D, dtype=torch.float64)
    spread = channel / max(D - 1, 1)
    centred = spread - 0.5
    in_head = (channel % N - (N - 1) / 2) / max((N - 1) / 2, 0.5)
    zigzag = in_head * in_head.abs()

    for row, power in enumerate((0.2, 0.7, 0.7, 0.9, 0.9, 0.2)):
        mix.mixes[row] = 1 - (channel / D) ** (power * remaining)
    _set_bias(mix.decay.outputs, -6 + 6 * spread ** (1 + depth**0.3) + 0.5 + 2.5 * zigzag)
    _set_bias(mix.rate.outputs, -0.19 + 0.3 * zigzag + 0.4 * centred)
    if mix.first_share is not None:
        _set_bias(mix.first_share.outputs, 0.73 - 0.4 * centred)
    mix.removed.copy_(0.71 - 0.1 * centred)
    mix.rate_on_key.fill_(1.02)
    mix.bonus.fill_(-0.04)
    mix.norm.weight.fill_(((1 + layer) / num_layers) ** 0.7)
    nn.init.orthogonal_(mix.receptance.weight)
    nn.init.orthogonal_(mix.key.weight, gain=0.1)
    nn.init.orthogonal_(mix.value.weight)
    nn.init.orthogonal_(mix.output.weight, gain=_SMALL_GAIN)


@torch.no_grad()
def initialise_channel_mix(mix: ChannelMix, *, layer: int, num_layers: int) -> None:
    """Later layers look more at the token before."""
    D = len(mix.mix)
    remaining = 1 - layer / num_layers
    mix.mix.copy_(1 - (torch.arange(D, dtype=torch.float64) / D) ** remaining**4)
    nn.init.orthogonal_(mix.key.weight)
    nn.init.orthogonal_(mix.value.weight, gain=_SMALL_GAIN)


def _set_bias(layer: nn.Linear, values: Tensor) -> None:
    layer.bias.copy_(values)
