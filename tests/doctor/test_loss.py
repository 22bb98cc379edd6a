"""A loss is compared with the mean cross-entropy; a deliberate choice is not a fault."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from broken_models import Ending, Plain, V, batches, cross_entropy, one_hot_mean
from examined_models import causes, outcome, reported, run_all_checks, run_doctor, subject_of
from torch import Tensor, nn

from seqzoo.plugin.registry import Registry


@pytest.mark.parametrize(
    ("loss", "status", "said"),
    [
        (lambda y, t: F.cross_entropy(y.transpose(1, 2), t), "pass", ""),
        (lambda y, t: F.nll_loss(y.log_softmax(-1).flatten(0, 1), t.flatten()), "pass", ""),
        (lambda y, t: cross_entropy(y, t, reduction="sum"), "pass", "sum over all tokens, 192 "),
        (
            lambda y, t: F.cross_entropy(y.transpose(1, 2), t, reduction="none").sum(1).mean(),
            "warn",
            "T times the mean",
        ),
        (
            lambda y, t: F.cross_entropy(y.transpose(1, 2), t, reduction="none").sum(0).mean(),
            "warn",
            "B times the mean",
        ),
        (
            lambda y, t: F.cross_entropy(y.transpose(1, 2), t, reduction="none").mean(0).sum(),
            "warn",
            "T times the mean",
        ),
        (one_hot_mean, "warn", "1 / V"),
        (lambda y, t: cross_entropy(y, t) / math.log(2), "pass", "1 / ln 2"),
        (lambda y, t: cross_entropy(y, t) / 8, "pass", "0.125 times"),
        (lambda y, t: cross_entropy(y, t) + 1, "pass", "a constant is added"),
        (lambda y, t: cross_entropy(y, t, label_smoothing=0.05), "pass", "label smoothing"),
        (lambda y, t: cross_entropy(y, t, label_smoothing=0.2), "pass", "label smoothing"),
        (nn.CrossEntropyLoss(), "pass", "B, T, V ="),
        (nn.CrossEntropyLoss(reduction="sum"), "pass", "sum over all tokens, 192 "),
        (lambda y, t: F.cross_entropy(y.view(len(y), -1, y.shape[1]), t), "fail", "else"),
        (lambda y, t: F.nll_loss(y.log_softmax(1).flatten(0, 1), t.flatten()), "fail", "else"),
        (lambda y, t: F.nll_loss(y.log_softmax(0).flatten(0, 1), t.flatten()), "fail", "else"),
        (lambda y, t: cross_entropy(y.softmax(-1), t), "fail", "else"),
        (lambda y, t: cross_entropy(y.transpose(0, 1), t), "fail", "else"),
        (lambda y, t: cross_entropy(y[:, :-1], t[:, 1:]), "fail", "token after next"),
        (lambda y, t: -cross_entropy(y, t), "fail", "else"),
        (lambda y, t: y.log_softmax(-1).gather(-1, t[..., None]), "fail", "shape"),
        (lambda y, t: F.cross_entropy(y, t[:, 1:]), "fail", "raises"),
    ],
)
def test_a_loss_is_compared_with_the_mean_cross_entropy(loss: Any, status: str, said: str) -> None:
    found = run_doctor(Plain, loss=loss, only=["model.loss"])
    assert outcome(found, "model.loss").status == status, reported(found)
    assert said in outcome(found, "model.loss").seen


def test_a_loss_that_takes_flattened_tokens_gets_them(registry: Registry) -> None:
    # With T = V it would go through as it is, axis 1 taken for the classes.
    logits, targets = torch.randn(2, V, V), torch.randint(V, (2, V))
    given = subject_of(registry, loss=nn.CrossEntropyLoss(weight=torch.ones(V))).network
    assert given.loss(logits, targets) == cross_entropy(logits, targets)
    assert run_doctor(Plain, loss=nn.CrossEntropyLoss()).is_healthy


def test_a_loss_that_fails_in_every_form_is_reported_once(registry: Registry) -> None:
    found = run_all_checks(registry, loss=lambda y, t: nn.CrossEntropyLoss()(y, t[..., None, None]))
    assert causes(found) == ["model.loss"], reported(found)
    assert not any(each.crashed for each in found.examined), reported(found)
    assert "criterion(logits.flatten(0, 1), targets.flatten())" in (
        outcome(found, "model.loss").remedy
    )


def test_a_loss_over_the_wrong_axis_is_the_only_cause() -> None:
    found = run_doctor(Plain, loss=lambda y, t: F.cross_entropy(y.view(len(y), -1, y.shape[1]), t))
    assert causes(found) == ["model.loss"]


def test_probabilities_are_not_a_fault_if_the_loss_takes_them() -> None:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return F.nll_loss(outputs.log().flatten(0, 1), targets.flatten())

    found = run_doctor(lambda: Ending(lambda y: y.softmax(-1)), loss=loss)
    assert reported(found)[0][:2] == ("model.logits", "warn")
    assert causes(found) == ["model.logits"]
    assert outcome(found, "model.loss").status == "pass"


def test_targets_that_batches_and_loss_both_shift_are_named() -> None:
    def shifting(logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets[:, 1:].flatten())

    found = run_doctor(Plain, loss=shifting)
    assert causes(found) == ["model.loss"], reported(found)
    assert "the token after next" in outcome(found, "model.loss").seen

    def same() -> Any:
        return ((inputs, inputs) for inputs, _ in batches())

    assert causes(run_doctor(Plain, loss=shifting, batches=same)) == []
