"""Small causal attention whose steps can be replaced one by one, right and wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from broken_models import B, H, T, V
from torch import Tensor, nn

__all__ = ["HEALTHY_POSITIONS", "WITHOUT_ORDER", "Attention", "attention"]

HEADS = 4


class Attention(nn.Module):
    """Learnt positions and causal attention in `layers` blocks; no state."""

    layers = 1

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, H)
        self.places = nn.Embedding(T, H)
        self.mixes = nn.ModuleList(nn.Linear(H, 3 * H) for _ in range(self.layers))
        self.norms = nn.ModuleList(nn.LayerNorm(H) for _ in range(self.layers))
        self.outs = nn.ModuleList(nn.Linear(H, H) for _ in range(self.layers))
        self.head = nn.Linear(H, V)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.positioned(self.embed(tokens))
        for mix, norm, out in zip(self.mixes, self.norms, self.outs, strict=True):
            q, k, v = (self.split(part) for part in mix(norm(hidden)).chunk(3, -1))
            q, k = self.turned(q), self.turned(k)
            scores = self.biased(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]))
            mixed = self.weights(scores) @ v
            hidden = hidden + out(mixed.transpose(1, 2).flatten(2))
        logits: Tensor = self.head(hidden)
        return logits

    def positioned(self, hidden: Tensor) -> Tensor:
        positions: Tensor = self.places(torch.arange(hidden.shape[1]))
        return hidden + positions

    def split(self, hidden: Tensor) -> Tensor:
        return hidden.view(*hidden.shape[:2], HEADS, -1).transpose(1, 2)

    def turned(self, heads: Tensor) -> Tensor:
        return heads

    def biased(self, scores: Tensor) -> Tensor:
        return scores

    def weights(self, scores: Tensor) -> Tensor:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        shares: Tensor = scores.masked_fill(later, -torch.inf).softmax(-1)
        return shares


def attention(**parts: Any) -> Callable[[], Attention]:
    """A function that builds an Attention with some of its steps replaced."""
    kind = type("Attention", (Attention,), parts)

    def build() -> Attention:
        model: Attention = kind()
        if "positioned" in parts:
            del model.places  # it would be a parameter without a use
        return model

    return build


def _plainly(self: Any, hidden: Tensor) -> Tensor:
    return hidden


def _rotated(along: int) -> Callable[[Any, Tensor], Tensor]:
    """Rotary positions (Su et al. 2021) along an axis of (B, heads, T, d)."""

    def turned(self: Any, heads: Tensor) -> Tensor:
        half = heads.shape[-1] // 2
        place = torch.arange(heads.shape[along], dtype=heads.dtype)
        angle = place[:, None] / 100 ** (torch.arange(half, dtype=heads.dtype) / max(half, 1))
        shape = [1] * heads.ndim
        shape[along], shape[-1] = len(place), half
        cos, sin = angle.cos().view(shape), angle.sin().view(shape)
        a, b = heads[..., :half], heads[..., half : 2 * half]
        rest = heads[..., 2 * half :]
        return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], -1)

    return turned


def _sines(self: Any, hidden: Tensor) -> Tensor:
    return hidden + _table(hidden.shape[1])


def _table(length: int) -> Tensor:
    angle = torch.arange(length)[:, None] / 10000 ** (torch.arange(0, H, 2) / H)
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


def _along_the_batch(self: Any, hidden: Tensor) -> Tensor:
    return hidden + _table(64)[: hidden.shape[0], None]


def _alibi(self: Any, scores: Tensor) -> Tensor:
    place = torch.arange(scores.shape[-1])
    return scores - 0.1 * (place[:, None] - place).abs()


HEALTHY_POSITIONS = {
    "learnt": attention(),
    "sines": attention(positioned=_sines),
    "rotary": attention(positioned=_plainly, turned=_rotated(2)),
    "a bias by distance": attention(positioned=_plainly, biased=_alibi),
    "two layers, rotary": attention(layers=2, positioned=_plainly, turned=_rotated(2)),
}

WITHOUT_ORDER = {
    "no positions": (attention(positioned=_plainly), "model.order", "order"),
    "rotary over the heads": (
        attention(positioned=_plainly, turned=_rotated(1)),
        "model.order",
        "axis",
    ),
    "two layers without positions": (
        attention(layers=2, positioned=_plainly),
        "model.order",
        "first layer that mixes tokens",
    ),
    "sines along the batch": (attention(positioned=_along_the_batch), "model.rows", "place"),
}
assert B != T
