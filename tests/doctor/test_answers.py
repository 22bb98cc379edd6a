"""Logits and states are found among losses, metrics and other parts of an answer."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from own_batches import B, T, V, causes, outcome, windows
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import examine
from seqzoo.doctor.diagnosis import Diagnosis
from seqzoo.doctor.evidence.answers import read_answer

pytestmark = pytest.mark.usefixtures("fast_reader")

H = 16
LOGITS, STATE, LOSS = torch.zeros(2, 3, 5), torch.ones(1, 2, 4), torch.tensor(2.0)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((LOGITS, STATE), STATE),
        ((LOGITS, STATE, {"norm": LOSS}), STATE),
        ((LOGITS, {"layer": STATE}), {"layer": STATE}),
        ((LOSS, LOGITS), None),
        ((None, LOGITS, STATE), STATE),
        ((LOGITS, LOSS, STATE), STATE),
        ((LOGITS, STATE, LOSS, None), STATE),
        ((LOGITS, (STATE, STATE), {"norm": LOSS}), (STATE, STATE)),
        ([LOGITS, STATE], STATE),
        ((LOGITS, STATE, STATE), (STATE, STATE)),
        ({"loss": LOSS, "logits": LOGITS, "state": STATE}, STATE),
        ({"logits": LOGITS, "past_key_values": ((STATE, STATE),)}, ((STATE, STATE),)),
        ({"logits": LOGITS, "cache": object()}, None),
    ],
)
def test_what_stands_beside_logits_and_state_is_left_out(answer: Any, state: Any) -> None:
    logits, found = read_answer(answer, has_state=True)
    assert logits is LOGITS
    assert repr(found) == repr(state)
    logits, found = read_answer(answer, has_state=False)
    assert logits is LOGITS
    assert found is None


@pytest.mark.parametrize("answer", [(LOGITS, STATE, LOGITS), {"a": LOGITS}, "text", (LOSS, None)])
def test_an_answer_with_two_meanings_is_given_back(answer: Any) -> None:
    assert read_answer(answer, has_state=True) == (answer, None)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.rnn = nn.GRU(H, H, batch_first=True)

    def read(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor, Tensor]:
        hidden, state = self.rnn(self.embed(x), state)
        return self.head(hidden), state, hidden


class Metrics(Model):
    def forward(self, x: Tensor, state: Any = None) -> Any:
        logits, state, hidden = self.read(x, state)
        return logits, state, {"norm": hidden.norm()}


class Unused(Model):
    def forward(self, x: Tensor, state: Any = None) -> Any:
        logits, state, hidden = self.read(x)
        return logits, state, {"norm": hidden.norm()}


class Named(Model):
    def forward(self, input_ids: Tensor, attention_mask: Any = None, state: Any = None) -> Any:
        assert attention_mask is None
        logits, state, _ = self.read(input_ids, state)
        return {"logits": logits, "state": state}


class Cached(Model):
    def forward(self, input_ids: Tensor, mask: Any = None, *, past_key_values: Any = None) -> Any:
        logits, state, _ = self.read(input_ids, past_key_values[0] if past_key_values else None)
        return {"logits": logits, "past_key_values": (state,)}


class Output(NamedTuple):
    loss: Any
    logits: Tensor
    state: Tensor


class InATuple(Model):
    def forward(self, x: Tensor, state: Any = None, y: Any = None) -> Output:
        logits, state, _ = self.read(x, state)
        return Output(None, logits, state)


class Flagged(Model):
    def forward(self, x: Tensor, training: bool = False) -> Any:
        logits, _, hidden = self.read(x)
        return logits, hidden


class LossFirst(Model):
    def forward(self, x: Tensor, y: Any = None) -> Any:
        logits = self.read(x)[0]
        return (None if y is None else F.cross_entropy(logits.flatten(0, 1), y.flatten())), logits


class LossFirstReversed(LossFirst):
    def read(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor, Tensor]:
        logits, state, hidden = super().read(x.flip(1), state)
        return logits.flip(1), state, hidden


def lanes() -> Any:
    rows = torch.randint(V, (B, 1_000), generator=torch.Generator().manual_seed(0))
    for begin in range(0, 1_000 - T - 1, T):
        yield rows[:, begin : begin + T], rows[:, begin + 1 : begin + T + 1]


def diagnosed(model: Any, *, carry: bool) -> Diagnosis:
    return examine(
        model=model, batches=lanes if carry else windows, carry_state=carry, quick=True, show=False
    )


@pytest.mark.parametrize("model", [Metrics, Named, Cached, InATuple])
def test_a_state_among_other_parts_is_carried(model: Any) -> None:
    found = diagnosed(model, carry=True)
    assert causes(found) == []
    assert "a state of" in outcome(found, "model.contract").seen
    assert outcome(found, "model.state").status == "pass"


@pytest.mark.parametrize("model", [Flagged, LossFirst])
def test_what_a_model_cannot_be_given_is_no_state(model: Any) -> None:
    found = diagnosed(model, carry=False)
    assert causes(found) == []
    assert "no state" in outcome(found, "model.contract").seen


@pytest.mark.parametrize(
    ("model", "carry", "expected"),
    [(Unused, True, "model.state"), (LossFirstReversed, False, "model.causality")],
)
def test_a_fault_behind_such_an_answer_is_named(model: Any, carry: bool, expected: str) -> None:
    assert expected in causes(diagnosed(model, carry=carry))
