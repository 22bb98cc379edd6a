"""Models that are called token by token, one-hot or time first, or that keep their own state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from own_batches import B, T, V, causes, outcome
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import examine
from seqzoo.doctor.diagnosis import Diagnosis

pytestmark = pytest.mark.usefixtures("fast_reader")

H = 16
MAIN = ["contract", "finite", "causality", "rows", "order", "state", "gradients", "evaluation"]


def lanes() -> Iterator[tuple[Tensor, Tensor]]:
    rows = torch.randint(V, (B, 1_000), generator=torch.Generator().manual_seed(0))
    for begin in range(0, 1_000 - T - 1, T):
        yield rows[:, begin : begin + T], rows[:, begin + 1 : begin + T + 1]


def one_hot() -> Iterator[tuple[Any, Any]]:
    for x, y in lanes():
        yield np.eye(V, dtype=np.float32)[x.numpy()], y


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.rnn = nn.GRU(H, H, batch_first=True)


class ByCharacter(Model):
    """As char-rnn.pytorch: a row of characters and a state in and out."""

    def init_hidden(self, batch_size: int) -> Tensor:
        return torch.zeros(1, batch_size, H)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        out, hidden = self.rnn(self.embed(x).view(len(x), 1, -1), hidden)
        return self.head(out.view(len(x), -1)), hidden


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.cell, self.head = nn.Embedding(V, H), nn.LSTMCell(H, H), nn.Linear(H, V)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        state = self.cell(self.embed(x), state)
        return self.head(state[0]), state


class Forgetful(Cell):
    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        return super().forward(x)


class Concatenating(nn.Module):
    """As the tutorial of names: one-hot characters and a state side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.to_hidden, self.to_output = nn.Linear(V + H, H), nn.Linear(V + H, V)

    def initHidden(self) -> Tensor:  # noqa: N802
        return torch.zeros(B, H)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([x, hidden], 1)
        return self.to_output(both), torch.tanh(self.to_hidden(both))


class OfRows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(V, H, batch_first=True), nn.Linear(H, V)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        out, state = self.rnn(x, state)
        return self.head(self.after(out)), state

    def after(self, out: Tensor) -> Tensor:
        return out


class OfRowsMixed(OfRows):
    def after(self, out: Tensor) -> Tensor:
        return out - out.mean(0)


class WordModel(nn.Module):
    """As the word_language_model of PyTorch's examples: time first, flat outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn, self.head = nn.Embedding(V, H), nn.LSTM(H, H), nn.Linear(H, V)

    def init_hidden(self, bsz: int) -> tuple[Tensor, Tensor]:
        weight = next(self.parameters())
        return weight.new_zeros(1, bsz, H), weight.new_zeros(1, bsz, H)

    def forward(self, x: Tensor, hidden: Any) -> tuple[Tensor, Any]:
        out, hidden = self.rnn(self.embed(x), hidden)
        return F.log_softmax(self.head(out).view(-1, V), 1), hidden


class WordModelOverTime(WordModel):
    def forward(self, x: Tensor, hidden: Any) -> tuple[Tensor, Any]:
        out, hidden = self.rnn(self.embed(x), hidden)
        return self.head(out - out.mean(0)).view(-1, V), hidden


class Keeps(Model):
    """The state is an attribute; a method begins a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = self.init_hidden(B)

    def init_hidden(self, rows: int) -> Tensor:
        return torch.zeros(1, rows, H)

    def forward(self, x: Tensor) -> Tensor:
        out, hidden = self.rnn(self.embed(x), self.hidden)
        self.hidden = self.kept(hidden)
        logits: Tensor = self.head(out)
        return logits

    def kept(self, hidden: Tensor) -> Tensor:
        return hidden


class KeepsAnother(Keeps):
    def kept(self, hidden: Tensor) -> Tensor:
        return torch.tanh(3 * hidden)


class KeepsOfOwnSize(Keeps):
    def init_hidden(self, rows: int = B) -> Tensor:
        return torch.zeros(1, B, H)


class Resets(Model):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(H, H, batch_first=True)  # type: ignore[assignment]
        self.reset_states()

    def reset_states(self) -> None:
        self.h, self.c = None, None

    def forward(self, x: Tensor) -> Tensor:
        state = None if self.h is None else (self.h, self.c)
        out, (self.h, self.c) = self.rnn(self.embed(x), state)
        logits: Tensor = self.head(out)
        return logits


class ResetsWithin(Keeps):
    """A new state for each batch: what it keeps is never read."""

    def forward(self, x: Tensor) -> Tensor:
        self.hidden = self.init_hidden(len(x))
        return super().forward(x)


def diagnosed(model: Any, batches: Any = lanes, **further: Any) -> Diagnosis:
    return examine(model=model, batches=batches, quick=True, show=False, **further)


HEALTHY = [
    (ByCharacter, lanes, "one token of each row at a time"),
    (Cell, lanes, "one token of each row at a time"),
    (Concatenating, lanes, "one token of each row at a time"),
    (Concatenating, one_hot, "one token of each row at a time"),
    (OfRows, one_hot, f"one-hot rows of {V} numbers"),
    (OfRows, lanes, f"one-hot rows of {V} numbers"),
    (WordModel, lanes, "time first"),
    (Keeps, lanes, "its state is what it keeps in hidden"),
    (KeepsOfOwnSize, lanes, f"exactly {B} rows; its state is what it keeps in hidden"),
    (Resets, lanes, "its state is what it keeps in h and c"),
]


@pytest.mark.parametrize(("model", "batches", "words"), HEALTHY)
def test_a_healthy_model_that_is_called_in_another_way_has_no_finding(
    model: Any, batches: Any, words: str
) -> None:
    found = diagnosed(model, batches)
    assert causes(found) == []
    for name in MAIN:
        assert outcome(found, f"model.{name}").status == "pass", name
    assert words in outcome(found, "model.contract").seen
    assert "a state of" in outcome(found, "model.contract").seen


@pytest.mark.parametrize(
    ("model", "batches", "expected"),
    [
        (Forgetful, lanes, "memory.horizon"),
        (OfRowsMixed, one_hot, "model.rows"),
        (WordModelOverTime, lanes, "model.causality"),
        (KeepsAnother, lanes, "model.state"),
    ],
)
def test_the_fault_of_such_a_model_is_named(model: Any, batches: Any, expected: str) -> None:
    assert expected in causes(diagnosed(model, batches))


def test_a_state_that_every_pass_begins_again_is_none() -> None:
    found = diagnosed(ResetsWithin, carry_state=False)
    assert "no state" in outcome(found, "model.contract").seen


class Unbatched(Model):
    """Only for (B,): its recurrent layer takes the rows for one text."""

    def forward(self, x: Tensor) -> Tensor:
        assert x.ndim == 1
        logits: Tensor = self.head(self.rnn(self.embed(x))[0])
        return logits


def test_rows_that_are_read_as_time_are_no_way_to_call_a_model() -> None:
    assert causes(diagnosed(Unbatched)) == ["model.contract"]


def test_a_call_leaves_the_kept_state_as_it_was() -> None:
    model = Keeps()
    before = model.hidden
    diagnosed(model)
    assert model.hidden is before
