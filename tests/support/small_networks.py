"""Small networks, trained and untrained, and helpers that examine them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from commands import REPOSITORY
from torch import Tensor, nn

from seqzoo.doctor import examine
from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.evidence.network import Network, call_plainly, mean_nats
from seqzoo.doctor.evidence.trial import Trial
from seqzoo.doctor.subject import Subject
from seqzoo.doctor.subjects.code import Code, subject_of_code
from seqzoo.model import state as states
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.registry import load_registry

HEALTHY = REPOSITORY / "recipes" / "clinic" / "healthy.yaml"


TEXT = b"the quick brown fox jumps over the lazy dog, and the dog looks up at the fox. " * 60


class Plain(nn.Module):
    """A recurrent network in the usual form; each fault is a parameter."""

    def __init__(self, kind: Callable[..., nn.RNNBase] = nn.LSTM, hidden_size: int = 24) -> None:
        super().__init__()
        self.embed = nn.Embedding(128, 16)
        self.rnn = kind(16, hidden_size, batch_first=True)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(hidden_size, 128)

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        outputs, state = self.rnn(self.embed(tokens), state)
        return self.head(self.drop(outputs)), state


class Loop(nn.Module):
    """A loop over time. carries: the cell gets its state. detaches: cut at every step."""

    def __init__(self, *, carries: bool = True, detaches: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(128, 16)
        self.cell = nn.GRUCell(16, 24)
        self.head = nn.Linear(24, 128)
        self.carries = carries
        self.detaches = detaches

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        logits = []
        for time in range(tokens.shape[1]):
            before = state if self.carries else None
            before = before.detach() if self.detaches and before is not None else before
            state = self.cell(self.embed(tokens[:, time]), before)
            logits.append(self.head(state))
        return torch.stack(logits, 1), state


class Positions(nn.Module):
    """Causal attention with 32 learnt positions and no state: it can read 32 tokens at once."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(128, 32)
        self.places = nn.Embedding(32, 32)
        self.layer = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True)
        self.head = nn.Linear(32, 128)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        hidden = self.embed(tokens) + self.places(torch.arange(length))
        logits: Tensor = self.head(self.layer(hidden, src_mask=mask, is_causal=True))
        return logits


class Frozen(Plain):
    """Its logits depend on no parameter except a bias."""

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        logits, state = super().forward(tokens, state)
        return logits.detach() * 0 + self.head.bias.sum(), state


def pairs(rows: int = 8, length: int = 16) -> Any:
    """Contiguous lanes of TEXT, for ever."""
    text = np.frombuffer(TEXT, dtype=np.uint8).astype(np.int64)
    lane = len(text) // rows
    starts = np.arange(rows)[:, None] * lane
    place = 0
    while True:
        at = (starts + place + np.arange(length + 1)) % len(text)
        yield text[at[:, :-1]], text[at[:, 1:]]
        place = (place + length) % lane


def outcome(name: str, model: Any, batches: Any = pairs, **further: Any) -> Outcome:
    diagnosis = examine(
        model=model, batches=batches, corpus=TEXT, only=[name], show=False, **further
    )
    return diagnosis.examined[0].outcome


def network_of(module: nn.Module) -> Network:
    return Network(module, lambda: module)


def trial_of(*, recipe: Any = None, **figures: Any) -> Subject:
    """A subject whose trial gave these figures; a user's own code, without a recipe."""
    subject = Subject(title="", registry=load_registry(), recipe=recipe)
    network = network_of(nn.Linear(2, 2))
    subject.trial = Trial(network, figures.pop("clip_norm", None), **figures)
    return subject


def is_about_code(found: Outcome) -> bool:
    """Whether a finding names no setting of a recipe, for users who have none."""
    sections = ("train.", "architecture.", "evaluate.", "runtime.", "sample.", "bptt_length")
    reported = f"{found.seen} {found.why} {found.remedy}"
    assert found.remedy, "this is no finding"
    return not found.changes and not any(section in reported for section in sections)


def trained(module: nn.Module, *, carry: bool = True, updates: int = 200, length: int = 16) -> Any:
    """A subject whose trial has trained `module` for that many updates on any machine."""
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    state = None
    batches = pairs(length=length)
    for _ in range(updates):
        inputs, targets = map(torch.from_numpy, next(batches))
        logits, state = call_plainly(module, inputs, state if carry else None)
        state = None if state is None else states.detach(state)
        optimizer.zero_grad()
        mean_nats(logits, targets).backward()
        optimizer.step()
    code = Code(model=module, batches=lambda: pairs(length=length), corpus=TEXT * 10)
    subject = subject_of_code(code, load_registry())
    subject.trial = Trial(subject.network, None, losses=[1.0] * updates)
    return subject


def check_of(name: str) -> Callable[[Subject], Outcome]:
    (check,) = select_checks(load_registry(), [name])
    return check.examine
