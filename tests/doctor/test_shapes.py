"""Models and batches in the shapes that people have: read, or refused with advice that works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqzoo import examine
from seqzoo.doctor.diagnosis import Diagnosis

B, T, V, H = 8, 24, 40, 32
TEXT = np.random.default_rng(0).integers(V, size=20_000)


def lanes() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    lane = len(TEXT) // B
    rows = TEXT[: B * lane].reshape(B, lane)
    for place in range(0, lane - T, T):
        yield rows[:, place : place + T], rows[:, place + 1 : place + T + 1]


def windows() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    draw = np.random.default_rng(1)
    while True:
        at = draw.integers(len(TEXT) - T - 1, size=(B, 1)) + np.arange(T)
        yield TEXT[at], TEXT[at + 1]


class Net(nn.Module):
    """An embedding, a recurrence and a head; subclasses change what is given and returned."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(V, H), nn.GRU(H, H, batch_first=True)
        self.lstm, self.head = nn.LSTM(H, H, batch_first=True), nn.Linear(H, V)
        self.use_gru()

    def use_gru(self) -> None:
        del self.lstm

    def read(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        hidden, state = self.rnn(self.embed(x), state)
        return self.head(hidden), state


class Cells(Net):
    def use_gru(self) -> None:
        self.rnn = self.lstm  # type: ignore[assignment]
        del self.lstm


class InAMapping(Net):
    def forward(self, input_ids: Tensor, state: Any = None, labels: Any = None) -> dict[str, Any]:
        logits, state = self.read(input_ids, state)
        return {"logits": logits, "state": state}


@dataclass
class Output:
    logits: Tensor
    past_key_values: Any = None
    loss: Any = None


class AnObject(Net):
    def forward(self, input_ids: Tensor, attention_mask: Any = None, labels: Any = None) -> Output:
        if attention_mask is not None:
            assert attention_mask.shape == input_ids.shape
        return Output(self.read(input_ids)[0], past_key_values=object())


class ThreeOutputs(Cells):
    def forward(self, x: Tensor, h: Any, c: Any) -> tuple[Tensor, Tensor, Tensor]:
        logits, (h, c) = self.read(x, None if h is None else (h, c))
        return logits, h, c


class InitHidden(Cells):
    def init_hidden(self, batch_size: int) -> tuple[Tensor, Tensor]:
        return torch.zeros(1, batch_size, H), torch.zeros(1, batch_size, H)

    def forward(self, x: Tensor, hidden: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        return self.read(x, (hidden[0].clone(), hidden[1].clone()))


class LogitsAndLoss(Net):
    def forward(self, idx: Tensor, targets: Any = None) -> tuple[Tensor, Any]:
        logits, _ = self.read(idx)
        if targets is None:
            return logits[:, [-1]], None
        return logits, nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


class Packed(Net):
    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embed(x), lengths, batch_first=True, enforce_sorted=False
        )
        hidden, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        logits: Tensor = self.head(hidden)
        return logits


def diagnosed(model: Any, batches: Any = lanes, **further: Any) -> Diagnosis:
    names = ["stream", "model"]
    return examine(model=model, batches=batches, only=names, quick=True, show=False, **further)


def outcomes(found: Diagnosis) -> dict[str, Any]:
    return {each.check.name: each.outcome for each in found.examined}


def named(found: Diagnosis) -> dict[str, str]:
    return {each.check.name: each.outcome.seen for each in found.findings}


@pytest.mark.parametrize(
    ("model", "words", "carry"),
    [
        (InAMapping, "'logits' are the logits, and its 'state' the state", True),
        (AnObject, "of its Output 'logits' are the logits, and nothing of it a state", False),
        (ThreeOutputs, "the first are the logits, and the second and the third the state", True),
        (InitHidden, "a state of", True),
        (LogitsAndLoss, "no state", False),
        (Packed, "no state", False),
    ],
)
def test_a_form_with_one_meaning_is_read_and_the_report_says_how(
    model: type[Net], words: str, carry: bool
) -> None:
    found = diagnosed(model, lanes if carry else windows, carry_state=carry)
    assert named(found) == {}
    assert words in outcomes(found)["model.contract"].seen
    assert outcomes(found)["model.gradients"].status == "pass"


class BatchTimeFlat(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.read(x)[0].flatten(0, 1)


class FlatWithState(Net):
    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        logits, state = self.read(x, state)
        return logits.flatten(0, 1), state


class FlatWithCells(Cells):
    def forward(self, x: Tensor, h: Any, c: Any) -> tuple[Tensor, Any, Any]:
        logits, (h, c) = self.read(x, None if h is None else (h, c))
        return logits.flatten(0, 1), h, c


class ClassesSecond(Net):
    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        logits, state = self.read(x, state)
        return logits.transpose(1, 2), state


class TimeFirst(Net):
    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        logits, state = self.read(x.T, state)
        return logits.transpose(0, 1), state


class TimeFirstAlone(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.read(x.T)[0].transpose(0, 1)


class OtherNames(Net):
    def forward(self, x: Tensor) -> dict[str, Any]:
        return {"attention": None, "prediction": self.read(x)[0]}


class StateAndFeatures(Net):
    def forward(self, x: Tensor, state: Any = None) -> tuple[Any, ...]:
        hidden, state = self.rnn(self.embed(x), state)
        return self.head(hidden), state, hidden


class OtherNamesWithState(Net):
    def forward(self, x: Tensor, state: Any = None) -> dict[str, Any]:
        prediction, state = self.read(x, state)
        return {"attention": None, "prediction": prediction, "kept": state}


REFUSED = [
    BatchTimeFlat, FlatWithState, FlatWithCells, ClassesSecond, TimeFirst, TimeFirstAlone,
    OtherNames, StateAndFeatures, OtherNamesWithState,
]  # fmt: skip


@pytest.mark.parametrize("model", REFUSED)
def test_an_adapter_that_a_message_suggests_works_as_it_is_written(model: type[Net]) -> None:
    carry = len(list(model.forward.__annotations__)) > 2
    batches = lanes if carry else windows
    found = diagnosed(model, batches, carry_state=carry)
    check = "model.rows" if issubclass(model, (TimeFirst, TimeFirstAlone)) else "model.contract"
    assert [each.check.name for each in found.causes] == [check]
    said = f"{outcomes(found)[check].seen} {outcomes(found)[check].remedy}"
    written = re.search(r"examine\(forward=(.*)\) adapts it", said)
    assert written is not None, said
    forward = eval(written[1])  # what the user would type
    again = diagnosed(model, batches, carry_state=carry, forward=forward)
    assert named(again) == {}
    held = outcomes(again)["model.contract"].seen
    assert ("a state of" in held) == carry


class Plain(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.read(x)[0]


class Convolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Conv1d(H, V, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(nn.functional.pad(self.embed(x).transpose(1, 2), (2, 0)))
        return logits.transpose(1, 2)


@pytest.mark.parametrize("batches", [lanes, windows])
def test_a_model_without_a_state_is_not_warned_of_what_it_does_not_have(batches: Any) -> None:
    found = diagnosed(Convolution, batches)
    assert named(found) == {}
    assert f"more than {T} tokens of context" in outcomes(found)["model.state"].seen
    # A recurrence has a state; it is thrown away.
    assert ("model.state" in named(diagnosed(Plain, batches))) == (batches is lanes)
