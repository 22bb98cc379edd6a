"""Training loops as people write them: healthy ones, and each frequent fault once.

A loop is a function of `watching`, which takes a model and an optimizer and gives a context: the
watch, or nothing for a comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Watching: TypeAlias = Callable[..., AbstractContextManager[Any]]
Loop: TypeAlias = Callable[[Watching], nn.Module | None]

V, B, T, STEPS = 48, 8, 16, 30

LOSSES: list[float] = []
"""Every loss so far, for a comparison with and without the watch."""


FAULTY: dict[str, tuple[Loop, str]] = {}
"""Loops with one fault each, and the check that names it."""

HEALTHY: dict[str, Loop] = {}
"""Loops without a fault; each returns its model."""


def fault(check: str) -> Callable[[Loop], Loop]:
    def added(loop: Loop) -> Loop:
        FAULTY[loop.__name__] = loop, check
        return loop

    return added


def healthy(loop: Loop) -> Loop:
    HEALTHY[loop.__name__] = loop
    return loop


class Recurrent(nn.Module):
    def __init__(self, *, dropout: float = 0.0, vocab_size: int = V, time_first: bool = False):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 16)
        self.lstm = nn.LSTM(16, 24, batch_first=not time_first)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(24, vocab_size)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        hidden, state = self.lstm(self.embed(tokens), state)
        return self.head(self.dropout(hidden)), state


class Attention(nn.Module):
    def __init__(self, *, dropout: float = 0.1, tied: bool = False):
        super().__init__()
        self.embed = nn.Embedding(V, 16)
        self.places = nn.Parameter(torch.randn(64, 16) * 0.1)
        self.layer = nn.TransformerEncoderLayer(
            16, 2, 32, dropout, batch_first=True, norm_first=True
        )
        self.head = nn.Linear(16, V, bias=False)
        if tied:
            self.head.weight = self.embed.weight
            nn.init.normal_(self.embed.weight, std=0.1)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        hidden = self.layer(self.embed(tokens) + self.places[:length], mask, is_causal=True)
        logits: Tensor = self.head(hidden)
        return logits


def text(size: int = 40_000) -> Tensor:
    """Tokens of different frequency: with them letter frequencies are worth something."""
    draw = torch.Generator().manual_seed(3)
    return (torch.rand(size, generator=draw) ** 2 * V).long()


def lanes(steps: int = STEPS) -> Iterator[tuple[Tensor, Tensor]]:
    whole = text()[: B * 4_800].view(B, -1)
    for begin in range(0, steps * T, T):
        yield whole[:, begin : begin + T], whole[:, begin + 1 : begin + T + 1]


def windows(steps: int = STEPS, *, rows: int = B) -> Iterator[tuple[Tensor, Tensor]]:
    whole, draw = text(), torch.Generator().manual_seed(5)
    for _ in range(steps):
        begins = torch.randint(len(whole) - T - 1, (rows, 1), generator=draw) + torch.arange(T)
        yield whole[begins], whole[begins + 1]


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
    LOSSES.append(loss.item())
    return loss


def detached(state: Any) -> Any:
    return tuple(part.detach() for part in state)


def adam(model: nn.Module, rate: float = 2e-3, **how: Any) -> torch.optim.Adam:
    return torch.optim.Adam(model.parameters(), rate, **how)


def plain(
    watching: Watching,
    model: nn.Module,
    optimizer: Any,
    steps: int = STEPS,
    schedule: Any = None,
) -> None:
    """schedule: called after each step."""
    with watching(model, optimizer):
        for x, y in windows(steps):
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()
