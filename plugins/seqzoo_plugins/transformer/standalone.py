"""`transformer` in plain torch, for exported folders; this file needs no seqzoo.

B batch, T time, V vocabulary, D width, W window, C = W - 1 cached tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Network(nn.Module):
    """Pre-norm transformer over a sliding window, with rotary positions.

    architecture: its `name` and its `options`. State: `length` (B,), the number of cached tokens,
    and for each layer `keys.N` and `values.N` (B, key heads, C, D / heads), the newest last; keys
    are not yet rotated.
    """

    def __init__(self, architecture: dict[str, Any], vocab_size: int) -> None:
        super().__init__()
        options = architecture["options"]
        D, self.window = options["hidden_size"], options["window"]
        self.embed = nn.Embedding(vocab_size, D)
        self.blocks = nn.ModuleList(_Block(options, n) for n in range(options["num_layers"]))
        self.norm = _norm(options)
        self.head = nn.Linear(D, vocab_size, bias=False)
        key_heads = options["num_key_heads"] or options["num_heads"]
        self.cache_shape = (key_heads, self.window - 1, D // options["num_heads"])

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """An empty cache."""
        empty = torch.zeros(batch_size, *self.cache_shape)
        parts = [f"{part}.{n}" for part in ("keys", "values") for n in range(len(self.blocks))]
        length = torch.zeros(batch_size, dtype=torch.int64)
        return {"length": length, **dict.fromkeys(parts, empty)}

    def forward(self, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (B, T, V) after (B, T) tokens, and the cache after the last one."""
        T, C = tokens.shape[1], self.window - 1
        # Query t is key C + t. It sees itself and the C before it, but no empty place of the cache.
        key, query = torch.arange(C + T), torch.arange(T).unsqueeze(1)
        seen = (key >= query) & (key <= query + C) & (key >= C - state["length"].view(-1, 1, 1, 1))
        after = {"length": (state["length"] + T).clamp(max=C)}
        x, first = self.embed(tokens), None
        for n, block in enumerate(self.blocks):
            x, keys, values = block(x, state[f"keys.{n}"], state[f"values.{n}"], seen, first)
            first = values[:, :, C:] if first is None else first
            after |= {f"keys.{n}": keys[:, :, T:], f"values.{n}": values[:, :, T:]}
        return self.head(self.norm(x)), after


class _Block(nn.Module):
    """Attention, then two layers of feed-forward, each added to the residual stream."""

    def __init__(self, options: dict[str, Any], number: int) -> None:
        super().__init__()
        D, units = options["hidden_size"], options["mlp_ratio"] * options["hidden_size"]
        heads, key_heads = options["num_heads"], options["num_key_heads"] or options["num_heads"]
        self.heads = (heads, key_heads, key_heads)
        self.norms_keys = options["qk_norm"]
        self.attention_norm = _norm(options)
        self.attention_in = nn.Linear(D, sum(self.heads) * D // heads, bias=False)
        self.attention_out = nn.Linear(D, D, bias=False)
        mixes = options["value_residual"] and number > 0
        self.first_value_share = nn.Parameter(torch.tensor(0.5)) if mixes else None
        self.mlp_norm = _norm(options)
        self.mlp_in = nn.Linear(D, units, bias=False)
        gated = options["feed_forward"] == "swiglu"
        self.mlp_gate = nn.Linear(D, units, bias=False) if gated else None
        self.mlp_out = nn.Linear(units, D, bias=False)

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, seen: Tensor, first: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        projected = self.attention_in(self.attention_norm(x)).unflatten(2, (sum(self.heads), -1))
        queries, new_keys, new_values = projected.transpose(1, 2).split(self.heads, dim=1)
        if self.norms_keys:
            queries, new_keys = (F.rms_norm(each, each.shape[-1:]) for each in (queries, new_keys))
        if self.first_value_share is not None and first is not None:
            share = self.first_value_share
            new_values = (1 - share) * new_values + share * first
        keys, values = torch.cat([keys, new_keys], 2), torch.cat([values, new_values], 2)
        attended = F.scaled_dot_product_attention(
            _rotated(queries, keys.shape[2] - queries.shape[2]),
            _rotated(keys, 0),
            values,
            attn_mask=seen,
            enable_gqa=self.heads[0] != self.heads[1],
        )
        x = x + self.attention_out(attended.transpose(1, 2).flatten(2))
        normed = self.mlp_norm(x)
        units = self.mlp_in(normed)
        units = F.gelu(units) if self.mlp_gate is None else F.silu(self.mlp_gate(normed)) * units
        return x + self.mlp_out(units), keys, values


def _rotated(x: Tensor, first: int) -> Tensor:
    """Each pair (i, i + size / 2) of x turned by its position times 10000^(-2 i / size).

    The positions begin with `first`.
    """
    T, size = x.shape[2:]
    frequencies = 10_000.0 ** -torch.arange(0, 1, 2 / size, dtype=torch.float64)
    angles = torch.outer(torch.arange(first, first + T, dtype=torch.float64), frequencies)
    cosines, sines = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    low, high = x.chunk(2, dim=3)
    return torch.cat([low * cosines - high * sines, high * cosines + low * sines], dim=3)


def _norm(options: dict[str, Any]) -> nn.Module:
    if options["norm"] == "rms":
        return nn.RMSNorm(options["hidden_size"], eps=1e-5)
    return nn.LayerNorm(options["hidden_size"], bias=False)
