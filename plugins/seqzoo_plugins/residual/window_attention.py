"""Attention to the last tokens, as a mixer."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo.ops import window_attention, window_masks
from seqzoo_plugins.residual.stack import Mixer

__all__ = ["Attended", "WindowAttention"]


class Attended(NamedTuple):
    """The last W - 1 tokens, the newest last. length: (B,) how many there are.

    keys, values: (B, key_heads, W - 1, head_size), the keys before rotation.
    """

    length: Int[Tensor, " B"]
    keys: Float[Tensor, "B key_heads C head_size"]
    values: Float[Tensor, "B key_heads C head_size"]


class WindowAttention(Mixer):
    """Attention of each token to itself and the W - 1 before it (`seqzoo.ops.window_attention`)."""

    def __init__(
        self,
        hidden_size: int,
        *,
        num_heads: int,
        window: int,
        key_heads: int | None = None,
        rotary_size: int | None = None,
        qk_norm: bool = False,
        output_bias: bool = False,
    ) -> None:
        """hidden_size: a multiple of twice num_heads. key_heads: of keys and values, a divisor of
        num_heads; None for as many. rotary_size: elements of a head that are rotated; None for all.
        qk_norm: norm each head of queries and keys, with a gain that the heads share.
        """
        super().__init__()
        self.window, self.rotary_size = window, rotary_size
        self.head_size = hidden_size // num_heads
        self.key_heads = key_heads or num_heads
        self.queries = nn.Linear(hidden_size, hidden_size, bias=False)
        self.keys = nn.Linear(hidden_size, self.key_heads * self.head_size, bias=False)
        self.values = nn.Linear(hidden_size, self.key_heads * self.head_size, bias=False)
        self.outputs = nn.Linear(hidden_size, hidden_size, bias=output_bias)
        self.query_norm, self.key_norm = (
            nn.LayerNorm(self.head_size, bias=False) if qk_norm else nn.Identity() for _ in range(2)
        )

    def initial_state(self, batch_size: int) -> Attended:
        weight = self.keys.weight
        empty = weight.new_zeros(batch_size, self.key_heads, self.window - 1, self.head_size)
        length = torch.zeros(batch_size, dtype=torch.int64, device=weight.device)
        return Attended(length, empty, empty)

    def forward(
        self, x: Float[Tensor, "B T D"], state: Attended, counts: Int[Tensor, " B"] | None = None
    ) -> tuple[Tensor, Attended]:
        """counts: how many tokens of each row are real, the first ones; None: all."""
        T = x.shape[1]
        keys = torch.cat([state.keys, self.key_norm(self._heads(self.keys(x)))], dim=2)
        values = torch.cat([state.values, self._heads(self.values(x))], dim=2)
        attended = window_attention(
            self.query_norm(self._heads(self.queries(x))),
            keys,
            values,
            window_masks(T, state.length, self.window),
            window=self.window,
            rotary_size=self.rotary_size,
        )
        outputs = self.outputs(attended.transpose(1, 2).flatten(2))
        new = T if counts is None else counts
        length = (state.length + new).clamp(max=self.window - 1)
        if counts is None:
            return outputs, Attended(length, keys[:, :, T:], values[:, :, T:])
        return outputs, Attended(length, self._last(keys, counts), self._last(values, counts))

    def _heads(self, x: Tensor) -> Tensor:
        """(B, T, heads * head_size) to (B, heads, T, head_size)."""
        heads: Tensor = x.unflatten(2, (-1, self.head_size))
        return heads.transpose(1, 2)

    def _last(self, seen: Tensor, counts: Tensor) -> Tensor:
        """The W - 1 that end at the last real token of each row, of (B, heads, W - 1 + T, ...)."""
        places = counts.unsqueeze(1) + torch.arange(self.window - 1, device=seen.device)
        index = places[:, None, :, None].expand(-1, *seen.shape[1:2], -1, seen.shape[3])
        return seen.gather(2, index)
