"""Classifiers and regressions get the checks that ask nothing about the next token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from own_batches import causes, outcome
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import examine
from seqzoo.doctor.diagnosis import Diagnosis

pytestmark = pytest.mark.usefixtures("fast_reader")

B, T, V, H, C = 8, 20, 30, 16, 3
RUN = [
    "model.rows", "model.eval_mode", "model.finite", "model.gradients", "model.loss",
    "model.untouched", "optimisation.overfit",
]  # fmt: skip


def classes() -> Iterator[tuple[Tensor, Tensor]]:
    draw = np.random.default_rng(0)
    while True:
        x = torch.from_numpy(draw.integers(V, size=(B, T)))
        yield x, x[:, 0] % C


def numbers() -> Iterator[tuple[Tensor, Tensor]]:
    for x, _ in classes():
        yield x, x.float().mean(1) / V - 0.5


class Classifier(nn.Module):
    def __init__(self, answers: int = C) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(V, H), nn.GRU(H, H, batch_first=True)
        self.drop, self.head = nn.Dropout(0.2), nn.Linear(H, answers)

    def forward(self, x: Tensor) -> Tensor:
        _, last = self.rnn(self.embed(x))
        logits: Tensor = self.head(self.drop(last[-1]))
        return logits


class Regression(Classifier):
    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(-1)


class OfOneLength(nn.Module):
    """Its head has a weight for each place."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(T * H, C)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embed(x).flatten(1))
        return logits


def diagnosed(model: Any, batches: Any = classes, **further: Any) -> Diagnosis:
    return examine(model=model, batches=batches, show=False, **further)


@pytest.mark.parametrize("model", [Classifier, OfOneLength])
@pytest.mark.parametrize("quick", [True, False])
def test_a_healthy_classifier_has_no_finding(model: type[nn.Module], quick: bool) -> None:
    found = diagnosed(model, loss=nn.CrossEntropyLoss(), quick=quick)
    assert causes(found) == []
    for name in RUN:
        assert outcome(found, name).status == "pass", name
    for name in ("stream.targets", "model.causality", "memory.horizon", "optimisation.warmup"):
        expected = ("one target for each row", "left out of the quick mode")
        assert outcome(found, name).seen in expected
    assert "one target for each row" in outcome(found, "stream.contract").seen


def test_a_healthy_regression_has_no_finding_and_no_check_of_classes() -> None:
    found = diagnosed(Regression, numbers, loss=F.mse_loss, quick=True)
    assert causes(found) == []
    for name in RUN:
        is_of_classes = name in ("model.loss", "optimisation.overfit")
        assert outcome(found, name).status == ("skip" if is_of_classes else "pass"), name


@pytest.mark.parametrize("answers", [2, C])
def test_a_classifier_needs_no_loss_to_be_given(answers: int) -> None:
    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for x, y in classes():
            yield x, y % answers

    found = diagnosed(lambda: Classifier(answers), batches, quick=True)
    assert causes(found) == []
    for name in RUN:
        assert outcome(found, name).status == "pass", name


@pytest.mark.parametrize("squeezed", [False, True])
def test_one_answer_for_a_yes_or_no_or_a_number_needs_no_loss_to_be_given(squeezed: bool) -> None:
    def yes_or_no() -> Iterator[tuple[Tensor, Tensor]]:
        for x, y in classes():
            yield x, y % 2

    kind = Regression if squeezed else lambda: Classifier(1)
    for batches in (yes_or_no, numbers):
        found = diagnosed(kind, batches, quick=True)
        assert causes(found) == []
        assert outcome(found, "model.gradients").status == "pass"
    for cut in (Cut, lambda: Cut(1)):
        assert "model.gradients" in causes(diagnosed(cut, yes_or_no, quick=True))


class NormOverRows(Classifier):
    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return logits - logits.mean(0)


class AlwaysDrops(Classifier):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(super().forward(x), 0.3)


class Cut(Classifier):
    def forward(self, x: Tensor) -> Tensor:
        _, last = self.rnn(self.embed(x))
        logits: Tensor = self.head(last[-1].detach())
        return logits


class Infinite(Classifier):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / 0


@pytest.mark.parametrize(
    ("model", "loss", "expected"),
    [
        (NormOverRows, F.cross_entropy, "model.rows"),
        (AlwaysDrops, F.cross_entropy, "model.eval_mode"),
        (Cut, F.cross_entropy, "model.gradients"),
        (Infinite, F.cross_entropy, "model.finite"),
        (Classifier, lambda y, t: F.cross_entropy(y.softmax(0), t), "model.loss"),
    ],
)
def test_the_fault_of_a_classifier_is_named(model: Any, loss: Any, expected: str) -> None:
    found = diagnosed(model, loss=loss, quick=True)
    assert expected in causes(found)


def test_logits_at_each_place_with_one_target_a_row_keep_their_finding() -> None:
    def last() -> Iterator[tuple[Tensor, Tensor]]:
        for x, _ in classes():
            yield x[:, :-1], x[:, -1]

    found = diagnosed(EachPlace, last, quick=True)
    assert "one target for each row" in outcome(found, "stream.contract").seen
    assert outcome(found, "stream.contract").status == "fail"


class Normalised(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(C)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.norm(super().forward(x))
        return logits


def test_batch_statistics_in_training_are_no_fault_of_a_classifier() -> None:
    assert causes(diagnosed(Normalised, quick=True)) == []


class EachPlace(Classifier):
    def __init__(self) -> None:
        super().__init__(V)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.rnn(self.embed(x))[0])
        return logits
