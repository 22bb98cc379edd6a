"""Local attention with one head of keys and values."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo.ops import window_attention, window_masks
from seqzoo_plugins.griffin.options import GriffinOptions
from seqzoo_plugins.residual.stack import Mixer

__all__ = ["Attended", "LocalAttention"]


class Attended(NamedTuple):
    """The last W - 1 tokens, the newest last. length: (B,) how many there are.

    keys, values: (B, 1, W - 1, head_size), the keys before rotation.
    """

    length: Int[Tensor, " B"]
    keys: Float[Tensor, "B one C head_size"]
    values: Float[Tensor, "B one C head_size"]


class LocalAttention(Mixer):
    """Multi-query attention (Shazeer 2019, arXiv:1911.02150) to the last W tokens, De et al. 2024,
    arXiv:2402.19427, section 2.3. As in the published code, half of each head is rotated by its
    position.
    """

    def __init__(self, options: GriffinOptions) -> None:
        super().__init__()
        D = options.hidden_size
        self.window = options.window
        self.head_size = D // options.num_heads
        self.rotary_size = max(2, self.head_size // 4 * 2)
        self.queries = nn.Linear(D, D, bias=False)
        self.key = nn.Linear(D, self.head_size, bias=False)
        self.value = nn.Linear(D, self.head_size, bias=False)
        self.outputs = nn.Linear(D, D)

    def initial_state(self, batch_size: int) -> Attended:
        weight = self.key.weight
        empty = weight.new_zeros(batch_size, 1, self.window - 1, self.head_size)
        length = torch.zeros(batch_size, dtype=torch.int64, device=weight.device)
        return Attended(length, empty, empty)

    def forward(self, x: Float[Tensor, "B T D"], state: Attended) -> tuple[Tensor, Attended]:
        T = x.shape[1]
        queries = self.queries(x).unflatten(2, (-1, self.head_size)).transpose(1, 2)
        keys = torch.cat([state.keys, self.key(x).unsqueeze(1)], dim=2)
        values = torch.cat([state.values, self.value(x).unsqueeze(1)], dim=2)
        attended = window_attention(
            queries,
            keys,
            values,
            window_masks(T, state.length, self.window),
            window=self.window,
            rotary_size=self.rotary_size,
        )
        length = (state.length + T).clamp(max=self.window - 1)
        outputs = self.outputs(attended.transpose(1, 2).flatten(2))
        return outputs, Attended(length, keys[:, :, T:], values[:, :, T:])
