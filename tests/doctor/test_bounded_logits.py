"""Logits that cannot be far enough apart are named, and not those that only begin near."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from broken_models import BeginsAtZero, Ending, H, Plain, V
from examined_models import causes, outcome, reported, run_doctor
from torch import Tensor, nn

from seqzoo.doctor.checks.model._bound import least_nats


class Similarities(Plain):
    """The cosine of the features and of each token's weights, times a number."""

    def __init__(self, scale: Any) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        out, state = self.lstm(self.embed(tokens), state)
        cosine = F.normalize(out, dim=-1) @ F.normalize(self.head.weight, dim=-1).T
        return self.scale * cosine, state


class DeadWhenScaled(Plain):
    """With all weights thirty times as large its head sees nothing but zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(0.05))
        self.head = nn.Linear(H, V, bias=False)

    def after(self, out: Tensor) -> Tensor:
        return (out - self.threshold).relu()


@pytest.mark.parametrize(
    ("build", "bound"),
    [
        (lambda: Ending(torch.tanh), 2.0),
        (lambda: Ending(lambda y: y.clamp(-1, 1)), 2.0),
        (lambda: Ending(lambda y: 2 * y.tanh()), 4.0),
        (lambda: Ending(lambda y: y / (1 + y.abs())), 2.0),
        (lambda: Ending(lambda y: F.normalize(y, dim=-1)), math.sqrt(2)),
        (lambda: Similarities(1.0), 2.0),
    ],
    ids=["tanh", "clamp", "2 tanh", "softsign", "normalised", "cosine"],
)
def test_logits_that_cannot_be_far_apart_are_named(build: Any, bound: float) -> None:
    found = run_doctor(build)
    assert causes(found) == ["model.logits"], reported(found)
    numbers = outcome(found, "model.logits").numbers
    assert numbers["width"] <= bound * (1 + 1e-3)
    assert "however large the weights are" in outcome(found, "model.logits").seen


@pytest.mark.parametrize(
    "build",
    [
        Plain,
        BeginsAtZero,
        DeadWhenScaled,
        lambda: Ending(lambda y: 1e-3 * y),
        lambda: Ending(lambda y: 30 * (y / 30).tanh()),
        lambda: Ending(lambda y: y.log_softmax(-1)),
        lambda: Similarities(16.0),
        lambda: Similarities(nn.Parameter(torch.tensor(1.0))),
        lambda: Plain().bfloat16(),
    ],
    ids=[
        "plain",
        "zeros",
        "dead",
        "small",
        "30 tanh",
        "log softmax",
        "16 cosines",
        "a learnt scale",
        "bfloat16",
    ],
)
def test_logits_that_can_are_not(build: Any) -> None:
    found = run_doctor(build, only=["model.logits"])
    assert outcome(found, "model.logits").status == "pass", reported(found)


def test_similarities_that_the_loss_multiplies_are_logits() -> None:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(20 * outputs.flatten(0, 1), targets.flatten())

    found = run_doctor(lambda: Similarities(1.0), loss=loss, only=["model.logits"])
    assert outcome(found, "model.logits").status == "pass", reported(found)


def test_the_least_loss_is_that_of_the_best_logits() -> None:
    logits = torch.zeros(1, V, dtype=torch.float64)
    logits[0, 3] = 2.5
    assert least_nats(2.5, V) == pytest.approx(F.cross_entropy(logits, torch.tensor([3])).item())


def test_one_logit_is_not_judged() -> None:
    model = nn.Sequential(nn.Embedding(V, H), nn.Linear(H, 1))
    found = run_doctor(model, only=["model.logits"])
    assert not any(each.crashed for each in found.examined), reported(found)
