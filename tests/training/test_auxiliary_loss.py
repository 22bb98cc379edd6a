"""A model's auxiliary loss: it is in the gradient and in no score."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made_trainings import parts_of, train_section
from tiny import RUNTIME, Recurrent
from torch import Tensor

from seqzoo.data.lanes import Lanes
from seqzoo.errors import DivergedError, PluginError
from seqzoo.training.updates import Training

TEXT = np.random.default_rng(0).integers(97, 105, 2000).astype(np.uint8)


class Regularised(Recurrent):
    """Adds a share of the squared hidden units of the last batch."""

    share = 0.3

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        if state is None:
            state = self.initial_state(len(tokens))
        self.units, last = self.rnn(self.embed(tokens), state[None])
        return self.head(self.units), last[0]

    def auxiliary_loss(self) -> Tensor | None:
        return self.share * self.units.square().mean()


def training_of(kind: type[Recurrent], **changes: Any) -> Training:
    section = train_section(
        {
            "batch_size": 4,
            "bptt_length": 8,
            "budget": {"steps": 30},
            "optimizer": {"name": "sgd"},
            "clip_norm": None,
            **changes,
        }
    )
    torch.manual_seed(0)
    model = kind()
    return Training(
        model,
        Lanes(TEXT, batch_size=4),
        section,
        **parts_of(model, section),
        runtime=RUNTIME,
        bytes_per_token=1.0,
        epoch_tokens=len(TEXT),
    )


@pytest.mark.parametrize("parts", [1, 2])
def test_it_is_in_the_gradient_and_not_in_the_logged_loss(parts: int) -> None:
    training = training_of(Regularised, accumulation_steps=parts)
    torch.manual_seed(0)
    plain = Regularised()
    lanes, state = Lanes(TEXT, batch_size=4), None
    losses, totals = [], []
    for _ in range(parts):
        batch = lanes.next(8)
        logits, state = plain(batch.inputs, state)
        state = state.detach()
        losses.append(F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten()))
        totals.append(losses[-1] + 0.3 * plain.units.square().mean())
    torch.stack(totals).mean().backward()
    norm = math.sqrt(
        sum(float(p.grad.square().sum()) for p in plain.parameters() if p.grad is not None)
    )
    update = training.update()
    assert update.gradient_norm == pytest.approx(norm, rel=1e-5)
    assert update.loss_nats == pytest.approx(float(torch.stack(losses).mean()), rel=1e-6)
    line = training.take_interval()
    assert line["bits_per_byte"] == pytest.approx(update.loss_nats / math.log(2))


def test_without_one_training_is_as_before() -> None:
    class Zero(Recurrent):
        def auxiliary_loss(self) -> Tensor | None:
            return torch.zeros(())

    with_zero, without = training_of(Zero), training_of(Recurrent)
    assert [with_zero.update() for _ in range(4)] == [without.update() for _ in range(4)]


def test_one_that_is_not_finite_stops_training_before_the_update() -> None:
    class Infinite(Regularised):
        share = math.inf

    training = training_of(Infinite)
    before = [p.detach().clone() for p in training.model.parameters()]
    with pytest.raises(DivergedError, match="the loss stopped being finite at step 1"):
        training.update()
    assert all(map(torch.equal, before, training.model.parameters()))


@pytest.mark.parametrize(
    ("value", "found"),
    [(torch.zeros(3), r"\(3,\)"), (0.5, "float"), (torch.zeros(1, 1), r"\(1, 1\)")],
)
def test_one_that_is_no_scalar_names_the_model(value: Any, found: str) -> None:
    class Wrong(Recurrent):
        def auxiliary_loss(self) -> Tensor | None:
            return value

    with pytest.raises(PluginError, match=f"auxiliary_loss of Wrong gave {found}, expected"):
        training_of(Wrong).update()
