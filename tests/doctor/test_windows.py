"""Models that read a window and guess the token after it: one target for each row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from own_batches import causes, outcome
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from seqzoo import examine
from seqzoo.doctor.diagnosis import Diagnosis
from seqzoo.doctor.subjects.code_windows import AtEachPlace

pytestmark = pytest.mark.usefixtures("fast_reader")

B, T, V, H = 8, 20, 40, 16
CORPUS = bytes(np.random.default_rng(0).integers(V, size=20_000).astype(np.uint8))
TEXT = torch.tensor(list(CORPUS))
PAIRS = Iterator[tuple[Tensor, Tensor]]


def drawn() -> PAIRS:
    draw = torch.Generator().manual_seed(0)
    while True:
        at = torch.randint(len(TEXT) - T - 1, (B, 1), generator=draw) + torch.arange(T)
        yield TEXT[at], TEXT[at[:, -1] + 1]


def every_third() -> PAIRS:
    for begin in range(0, 3_000, 3 * B):
        at = begin + 3 * torch.arange(B)[:, None] + torch.arange(T)
        yield TEXT[at], TEXT[at[:, -1] + 1]


def columns() -> PAIRS:
    for x, y in drawn():
        yield x, y[:, None]


def loader() -> DataLoader[Any]:
    at = torch.arange(2_000)[:, None] + torch.arange(T)
    return DataLoader(TensorDataset(TEXT[at], TEXT[at[:, -1] + 1]), B, shuffle=True)


class Perceptron(nn.Module):
    """All embeddings of a window side by side, as Bengio et al. 2003."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm = nn.Embedding(V, 8), nn.BatchNorm1d(2 * H)
        self.hidden, self.head = nn.Linear(T * 8, 2 * H), nn.Linear(2 * H, V)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.hidden(self.embed(x).view(len(x), -1))
        return self.end(self.head(torch.tanh(self.norm(hidden))))

    def end(self, logits: Tensor) -> Tensor:
        return logits


class LastOnly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.rnn = nn.LSTM(H, H, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.rnn(self.embed(x))[0][:, -1])
        return logits


def diagnosed(model: Any, batches: Any = drawn, **further: Any) -> Diagnosis:
    return examine(model=model, batches=batches, corpus=CORPUS, quick=True, show=False, **further)


@pytest.mark.parametrize(
    ("model", "batches"),
    [(Perceptron, drawn), (LastOnly, drawn), (LastOnly, every_third), (LastOnly, loader())],
)
def test_a_healthy_model_has_no_finding_and_is_asked_for_everything(
    model: Any, batches: Any
) -> None:
    found = diagnosed(model, batches)
    assert causes(found) == []
    for name in (
        "stream.targets", "stream.repeats", "model.logits", "model.initial_loss", "model.loss",
        "model.order", "model.current_token", "model.rows", "model.gradients", "model.ids",
        "memory.horizon", "optimisation.overfit",
    ):  # fmt: skip
        assert outcome(found, name).status == "pass", name
    assert f"each place is read with {T} tokens" in outcome(found, "model.contract").seen
    assert "reads no token after a place" in outcome(found, "model.causality").seen


@pytest.mark.slow
def test_a_healthy_perceptron_has_no_finding_after_a_short_training() -> None:
    found = examine(model=Perceptron, batches=drawn, corpus=CORPUS, show=False)
    assert causes(found) == []
    assert "too few targets" in outcome(found, "optimisation.learning_rate").seen


def test_targets_in_a_column_and_a_loss_of_them_are_read() -> None:
    found = diagnosed(LastOnly, columns, loss=lambda y, t: F.cross_entropy(y, t.squeeze(1)))
    assert causes(found) == []
    assert outcome(found, "model.loss").status == "pass"


class Probabilities(Perceptron):
    def end(self, logits: Tensor) -> Tensor:
        return logits.softmax(-1)


class OverRows(Perceptron):
    def end(self, logits: Tensor) -> Tensor:
        return logits.log_softmax(0)


class Bag(LastOnly):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(self.embed(x).mean(1, keepdim=True))[0][:, 0])


class Cut(LastOnly):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(self.embed(x))[0][:, -1].detach())


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Probabilities, "model.logits"),
        (OverRows, "model.rows"),
        (Bag, "model.order"),
        (Cut, "model.gradients"),
    ],
)
def test_the_fault_of_such_a_model_is_named(model: Any, expected: str) -> None:
    assert expected in causes(diagnosed(model))


@pytest.mark.parametrize(
    "target",
    [lambda x, y: (x, x[:, -1]), lambda x, y: (x[:, :-1], y), lambda x, y: (x, y.roll(1))],
)
def test_a_target_that_is_another_token_is_named(target: Callable[..., Any]) -> None:
    found = diagnosed(LastOnly, lambda: (target(x, y) for x, y in drawn()))
    assert causes(found) == ["stream.targets"]


@pytest.mark.parametrize("length", [1, 4, T - 1, T, T + 9])
def test_each_place_has_the_logits_of_the_window_that_ends_there(length: int) -> None:
    torch.manual_seed(0)
    perceptron, last_only = Perceptron().eval(), LastOnly()
    tokens = torch.randint(V, (3, length))
    filled = F.pad(tokens, (T - 1, 0))
    calls = {
        is_exact: AtEachPlace(lambda m, x, _: (m(x), None), T, is_exact)
        for is_exact in (True, False)
    }
    exact, _ = calls[True](perceptron, tokens, None)
    shorter, state = calls[False](last_only, tokens, None)
    assert state is None
    for place in range(length):
        window = filled[:, place : place + T]
        torch.testing.assert_close(exact[:, place], perceptron(window))
        window = tokens[:, max(0, place + 1 - T) : place + 1]
        torch.testing.assert_close(shorter[:, place], last_only(window))
