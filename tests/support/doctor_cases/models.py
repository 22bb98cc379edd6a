"""Small models as people write them, in steps that a case can replace one by one."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "Attention",
    "Causal",
    "Recurrent",
    "Stateless",
    "Unplaced",
    "future_mask",
    "sinusoids",
    "turned",
]


class Recurrent(nn.Module):
    """Embedding, recurrent layers and head; a state in and out."""

    def __init__(
        self, V: int = 256, H: int = 48, *, cell: Any = nn.LSTM, layers: int = 1, **further: Any
    ) -> None:
        super().__init__()
        self.H = H
        self.embed = nn.Embedding(V, H)
        self.rnn = cell(H, H, layers, batch_first=True, **further)
        self.head = nn.Linear(H, V)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        out, state = self.rnn(self.before(self.embed(tokens)), state)
        return self.end(self.head(self.after(out))), state

    def before(self, x: Tensor) -> Tensor:
        """Between embedding and recurrence, (B, T, H)."""
        return x

    def after(self, out: Tensor) -> Tensor:
        """Between recurrence and head, (B, T, H)."""
        return out

    def end(self, logits: Tensor) -> Tensor:
        """After the head, (B, T, V)."""
        return logits


class Stateless(Recurrent):
    """The same, which begins every batch from an empty state and returns logits alone."""

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        out, _ = self.rnn(self.before(self.embed(tokens)))
        return self.end(self.head(self.after(out)))


class Attention(nn.Module):
    """One block of causal attention and a feed-forward network, normalised before each."""

    def __init__(self, V: int = 256, H: int = 48, T: int = 40, *, heads: int = 4) -> None:
        super().__init__()
        self.H, self.heads = H, heads
        self.embed = nn.Embedding(V, H)
        self.positions = nn.Embedding(T, H)
        self.joint, self.mix = nn.Linear(H, 3 * H), nn.Linear(H, H)
        self.norms = nn.ModuleList(nn.LayerNorm(H) for _ in range(3))
        self.feed = nn.Sequential(nn.Linear(H, 2 * H), nn.GELU(), nn.Linear(2 * H, H))
        self.head = nn.Linear(H, V)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.placed(self.embed(tokens))
        x = x + self.attend(self.norms[0](x))
        x = x + self.feed(self.norms[1](x))
        return self.end(self.head(self.norms[2](x)))

    def placed(self, x: Tensor) -> Tensor:
        """Positions added to (B, T, H)."""
        return x + self.positions(torch.arange(x.shape[1]))

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = (self.split(part) for part in self.joint(x).chunk(3, -1))
        scores = self.turn(q) @ self.turn(k).transpose(-1, -2) / math.sqrt(q.shape[-1])
        return self.mix(self.join(self.weigh(scores) @ v))

    def split(self, x: Tensor) -> Tensor:
        """(B, T, H) as (B, heads, T, H / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def join(self, x: Tensor) -> Tensor:
        """(B, heads, T, H / heads) as (B, T, H)."""
        return x.transpose(1, 2).flatten(2)

    def turn(self, x: Tensor) -> Tensor:
        """Queries and keys, for rotary positions."""
        return x

    def weigh(self, scores: Tensor) -> Tensor:
        """Scores (B, heads, T, T) as weights that sum to 1 along the last axis."""
        return scores.masked_fill(future_mask(scores.shape[-1]), -math.inf).softmax(-1)

    def end(self, logits: Tensor) -> Tensor:
        """After the head, (B, T, V)."""
        return logits


class Unplaced(Attention):
    """The same, with nothing that says where a token is."""

    def __init__(self, V: int = 256, H: int = 48, T: int = 40) -> None:
        super().__init__(V, H, T)
        del self.positions

    def placed(self, x: Tensor) -> Tensor:
        return x


class Causal(nn.Module):
    """Two dilated convolutions with padding on the left."""

    def __init__(self, V: int = 256, H: int = 48) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.convolutions = nn.ModuleList(nn.Conv1d(H, H, 3, dilation=d) for d in (1, 3))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens).transpose(1, 2)
        for convolution, dilation in zip(self.convolutions, (1, 3), strict=True):
            x = x + convolution(self.pad(x, 2 * dilation)).relu()
        logits: Tensor = self.head(self.norm(x).transpose(1, 2))
        return logits

    def pad(self, x: Tensor, size: int) -> Tensor:
        """(B, H, T) with `size` zeros added along the last axis."""
        return nn.functional.pad(x, (size, 0))

    def norm(self, x: Tensor) -> Tensor:
        """Before the head, (B, H, T)."""
        return x


def future_mask(T: int) -> Tensor:
    """(T, T) True where the column is later than the row."""
    return torch.ones(T, T, dtype=torch.bool).triu(1)


def sinusoids(length: int, H: int) -> Tensor:
    """(length, H) positions of Vaswani et al. 2017, arXiv:1706.03762."""
    angles = torch.arange(length)[:, None] / 10_000 ** (torch.arange(0, H, 2) / H)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def turned(x: Tensor, axis: int, start: int = 0) -> Tensor:
    """(..., D) with pairs of features turned by the place along an axis: rotary positions."""
    half = x.shape[-1] // 2
    places = start + torch.arange(x.shape[axis])
    angles = places[:, None] / 1_000 ** (torch.arange(half) / half)
    shape = [1] * x.ndim
    shape[axis], shape[-1] = x.shape[axis], half
    cos, sin = angles.cos().view(shape), angles.sin().view(shape)
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)
