"""Batches as users make them, and helpers that examine them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.doctor import examine
from seqzoo.doctor.diagnosis import Diagnosis

B, T, V = 8, 32, 62


Pair = tuple[np.ndarray, np.ndarray]


TEXT = np.random.default_rng(0).integers(V, size=20_000)


def windows(count: int | None = None, *, rows: int = B, seed: int = 0) -> Iterator[Pair]:
    """Rows from random places."""
    draw = np.random.default_rng(seed)
    while count is None or count > 0:
        count = None if count is None else count - 1
        starts = draw.integers(len(TEXT) - T - 1, size=(rows, 1)) + np.arange(T)
        yield TEXT[starts], TEXT[starts + 1]


class Stateless(nn.Module):
    """A token's logits from itself and the one before."""

    def __init__(self, vocab_size: int = V) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 8)
        self.head = nn.Linear(16, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        now = self.embed(tokens)
        logits: Tensor = self.head(torch.cat([now, F.pad(now, (0, 0, 1, 0))[:, :-1]], -1))
        return logits


class Recurrent(nn.Module):
    def __init__(self, vocab_size: int = V) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 8)
        self.rnn = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, vocab_size)

    def forward(self, tokens: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        hidden, state = self.rnn(self.embed(tokens), state)
        return self.head(hidden), state


def run_doctor(batches: Any, *, only: tuple[str, ...] = ("stream",), **further: Any) -> Diagnosis:
    return examine(batches=batches, only=only, show=False, **further)


def outcome(diagnosis: Diagnosis, name: str) -> Any:
    return {each.check.name: each.outcome for each in diagnosis.examined}[name]


def causes(diagnosis: Diagnosis) -> list[str]:
    crashed = [each.outcome.seen for each in diagnosis.examined if each.crashed]
    assert not crashed, crashed
    return [each.check.name for each in diagnosis.causes]


def with_a_smaller_last_batch() -> list[Pair]:
    return [*windows(9), *windows(1, rows=3, seed=1)]


ONE_HOT = np.eye(V, dtype=np.uint8)


def padded() -> Iterator[Pair]:
    for inputs, targets in windows():
        targets = targets.copy()
        targets[:, -T // 4 :] = -100
        yield inputs, targets
