"""A loss is compared with the mean cross-entropy; a deliberate choice is not a fault."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from broken_models import Ending, Plain, V, batches, cross_entropy, one_hot_mean
from examined_models import causes, outcome, reported, run_all_checks, run_doctor, subject_of
from torch import Tensor, nn

from seqzoo.plugin.registry import Registry


def _divergence(logits: Tensor, targets: Tensor, reduction: str) -> Tensor:
    """From smooth targets, as it is often written in place of label smoothing."""
    flat = logits.flatten(0, 1)
    smooth = torch.full_like(flat, 0.1 / (V - 1)).scatter_(1, targets.reshape(-1, 1), 0.9)
    divergence: Tensor = nn.KLDivLoss(reduction=reduction)(flat.log_softmax(-1), smooth)
    return divergence


def _mean_divergence(logits: Tensor, targets: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says so too, once
        return _divergence(logits, targets, "mean")


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
        (
            lambda y, t: cross_entropy(y, t) / 192,
            "warn",
            "number of tokens B T = 192",
        ),
        (_mean_divergence, "warn", "1 / V times as large"),
        (lambda y, t: _divergence(y, t, "batchmean"), "pass", "label smoothing"),
        (lambda y, t: _divergence(y, t, "sum"), "pass", "sum over all tokens, 192 "),
        (
            lambda y, t: cross_entropy(y, t, label_smoothing=0.1, reduction="none").sum() / len(y),
            "warn",
            "T times as large",
        ),
        (lambda y, t: cross_entropy(y, t, label_smoothing=0.1) / 8, "pass", "label smoothing"),
        (lambda y, t: cross_entropy(y, t) + 1, "pass", "a constant is added"),
        (lambda y, t: cross_entropy(y, t, label_smoothing=0.05), "pass", "label smoothing"),
        (lambda y, t: cross_entropy(y, t, label_smoothing=0.2), "pass", "label smoothing"),
        (nn.CrossEntropyLoss(), "pass", "B, T, V ="),
        (nn.CrossEntropyLoss(reduction="sum"), "pass", "sum over all tokens, 192 "),
        (lambda y, t: cross_entropy(y.log_softmax(-1), t), "pass", "B, T, V ="),
        (lambda y, t: F.cross_entropy(y.view(len(y), -1, y.shape[1]), t), "fail", "views logits"),
        (lambda y, t: F.nll_loss(y.log_softmax(1).flatten(0, 1), t.flatten()), "fail", "over time"),
        (
            lambda y, t: F.nll_loss(y.log_softmax(0).flatten(0, 1), t.flatten()),
            "fail",
            "over the rows",
        ),
        (lambda y, t: cross_entropy(y.softmax(-1), t), "fail", "applies another"),
        (lambda y, t: 3 * cross_entropy(y.softmax(-1), t), "fail", "applies another"),
        (lambda y, t: F.nll_loss(y.flatten(0, 1), t.flatten()), "fail", "the target's logit"),
        (nn.NLLLoss(), "fail", "the target's logit"),
        (
            lambda y, t: F.nll_loss(y.softmax(-1).flatten(0, 1), t.flatten()),
            "fail",
            "without a logarithm",
        ),
        (lambda y, t: F.cross_entropy(y.flatten(0, 1), t.T.flatten()), "fail", "time by time"),
        (lambda y, t: F.mse_loss(y, F.one_hot(t, V).float()), "fail", "squared error of the log"),
        (lambda y, t: cross_entropy(y.detach(), t), "fail", "raises"),
        (lambda y, t: y.sum() * 0, "fail", "no gradient"),
        (lambda y, t: (y - 1).abs().mean(), "fail", "something else"),
        (lambda y, t: cross_entropy(y.transpose(0, 1), t), "fail", "else"),
        (lambda y, t: cross_entropy(y[:, :-1], t[:, 1:]), "fail", "token after next"),
        (lambda y, t: -cross_entropy(y, t), "fail", "sign is wrong"),
        (lambda y, t: -2 * cross_entropy(y, t, reduction="sum"), "fail", "sign is wrong"),
        (lambda y, t: y.log_softmax(-1).gather(-1, t[..., None]), "fail", "shape"),
        (lambda y, t: F.cross_entropy(y, t[:, 1:]), "fail", "raises"),
    ],
)
def test_a_loss_is_compared_with_the_mean_cross_entropy(loss: Any, status: str, said: str) -> None:
    found = run_doctor(Plain, loss=loss, only=["model.loss"])
    assert outcome(found, "model.loss").status == status, reported(found)
    assert said in outcome(found, "model.loss").seen


def _over_all_places(logits: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(logits, targets, reduction="none").mean()


def _over_what_counts(logits: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(logits, targets, reduction="sum") / (targets >= 0).sum()


def _mean_of_rows(logits: Tensor, targets: Tensor) -> Tensor:
    each = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none").sum(1)
    return (each / (targets >= 0).sum(1)).mean()


@pytest.mark.parametrize(
    ("loss", "smoothing", "status"),
    [
        (_over_all_places, 0.0, "warn"),
        (_over_all_places, 0.1, "warn"),
        (_over_what_counts, 0.0, "pass"),
        (_over_what_counts, 0.1, "pass"),
        (_mean_of_rows, 0.0, "pass"),
        (lambda y, t: cross_entropy(y, t, reduction="sum"), 0.0, "pass"),
        (None, 0.0, "pass"),
    ],
)
def test_a_loss_of_padded_rows_is_the_mean_of_the_targets_that_count(
    loss: Any, smoothing: float, status: str
) -> None:
    def padded() -> Any:
        for inputs, targets in batches():
            some = targets.astype(np.int64)
            some[::2, some.shape[1] // 2 :] = -100
            yield inputs, some

    def smoothed(logits: Tensor, targets: Tensor) -> Tensor:
        even = -logits.log_softmax(-1).mean(-1).masked_fill(targets < 0, 0.0)
        counted = targets.numel() if loss is _over_all_places else (targets >= 0).sum()
        value: Tensor = (1 - smoothing) * loss(logits, targets) + smoothing * even.sum() / counted
        return value

    given = smoothed if smoothing else loss
    found = outcome(
        run_doctor(Plain, loss=given, batches=padded, only=["model.loss"]), "model.loss"
    )
    assert found.status == status, found.seen
    assert ("divided by the number of all places" in found.seen) == (status == "warn")
    full = run_doctor(Plain, loss=given, only=["model.loss"])
    assert outcome(full, "model.loss").status == "pass", "without padding all places count"


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


class Ascent(torch.optim.Optimizer):
    """Written by hand, with the wrong sign."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.01})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.data.add_(parameter.grad, alpha=group["lr"])


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: torch.optim.Adam(p, maximize=True),
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, maximize=True),
        Ascent,
    ],
)
def test_an_optimizer_that_goes_up_the_gradient_is_named(optimizer: Any) -> None:
    found = run_doctor(Plain, optimizer=optimizer)
    assert causes(found) == ["model.loss"], reported(found)
    assert "up the gradient" in outcome(found, "model.loss").seen
    assert "maximize=True" in outcome(found, "model.loss").remedy


@pytest.mark.parametrize(
    ("optimizer", "loss"),
    [
        (lambda p: torch.optim.Adam(p, maximize=True), lambda y, t: -cross_entropy(y, t)),
        (lambda p: torch.optim.AdamW(p, 1e-3, weight_decay=1000.0), None),
        (lambda p: torch.optim.RMSprop(p, 1e-3, momentum=0.9), None),
        (lambda p: torch.optim.Rprop(p), None),
    ],
    ids=["both signs turned", "weight decay", "RMSprop", "Rprop"],
)
def test_an_optimizer_that_lowers_the_loss_is_not(optimizer: Any, loss: Any) -> None:
    found = run_doctor(Plain, optimizer=optimizer, loss=loss, only=["model.loss"])
    assert outcome(found, "model.loss").status == "pass", reported(found)
