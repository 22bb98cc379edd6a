"""Models: healthy ones pass, and each fault is reported as itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from broken_models import (
    FAULTS,
    TEXT,
    BeginsAtZero,
    Chaotic,
    DropoutLeftOn,
    Ending,
    FirstStateDrawn,
    IgnoresEval,
    PeekingInTraining,
    Plain,
    SeesTargets,
    Stateless,
    T,
    V,
    Windowed,
    batches,
)
from examined_models import causes, outcome, reported, run_doctor, subject_of
from installed_architectures import SMALL, every_architecture, options_of
from torch import nn

from seqzoo import ArchitectureContext
from seqzoo.doctor import examine
from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.registry import Registry


@pytest.mark.slow  # in the clinic, each is examined with a recipe around it
@every_architecture
def test_every_architecture_is_healthy(registry: Registry, name: str) -> None:
    spec = registry.get("architecture", name)

    def build() -> nn.Module:
        context = ArchitectureContext(vocab_size=V, builder=build_installed)
        model: SequenceModel = spec.build(options_of(spec, **SMALL, dropout=0.2), context)
        model.before_training(np.frombuffer(TEXT, np.uint8))
        return model

    found = run_doctor(build, seed=1)
    assert {each.outcome.status for each in found.examined} == {"pass"}, reported(found)


@pytest.mark.parametrize(
    "model",
    [
        Plain,
        Plain(),
        Stateless,
        Stateless(),
        BeginsAtZero,
        Chaotic,
        lambda: Plain().double(),
        lambda: Plain().bfloat16(),
        lambda: Ending(lambda logits: logits.log_softmax(-1)),
    ],
    ids=[
        "state",
        "instance",
        "stateless",
        "stateless instance",
        "zeros",
        "chaotic",
        "float64",
        "bfloat16",
        "log softmax",
    ],
)
def test_plain_modules_are_healthy(model: Any) -> None:
    found = run_doctor(model)
    assert {each.outcome.status for each in found.examined} == {"pass"}, reported(found)


@pytest.mark.parametrize("length", [4, 8, 32, 100])
def test_a_model_that_reads_no_more_than_one_batch_is_healthy(
    registry: Registry, length: int
) -> None:
    found = run_doctor(lambda: Windowed(length), batches=lambda: batches(length))
    assert {each.outcome.status for each in found.examined} == {"pass"}, reported(found)
    subject = subject_of(registry, model=lambda: Windowed(length), batches=lambda: batches(length))
    assert subject.trial.points[-1].step == subject.trial.steps > 0


def test_a_model_alone_is_examined_without_batches_or_text() -> None:
    found = examine(model=Plain(), only=["model"], show=False)
    statuses = {each.check.name: each.outcome.status for each in found.examined}
    assert statuses.pop("model.initial_loss") == "skip"
    assert statuses.pop("model.all_tokens") == "skip"
    assert set(statuses.values()) == {"pass"}, reported(found)


@pytest.mark.parametrize(("model", "expected"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_named_as_its_own_cause(model: Any, expected: str) -> None:
    found = run_doctor(model)
    assert causes(found) == expected.split(", "), reported(found)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("function", "loss"),
    [
        (torch.log_softmax, nn.NLLLoss()),
        (torch.softmax, lambda y, t: F.nll_loss(y.log().flatten(0, 1), t.flatten())),
    ],
)
def test_a_softmax_over_a_wrong_axis_is_the_cause_for_any_loss(
    axis: int, function: Any, loss: Any
) -> None:
    found = run_doctor(lambda: Ending(lambda y: function(y, axis)), loss=loss)
    assert causes(found) == ["model.logits"], reported(found)
    assert outcome(found, "model.logits").status == "fail"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda y: y.softmax(1), "probabilities: nonnegative, summing to 1 over time"),
        (lambda y: y.softmax(0), "summing to 1 over the rows"),
        (lambda y: y.log_softmax(1), "a log_softmax over time"),
        (lambda y: y.log_softmax(0), "a log_softmax over the rows"),
        (lambda y: y.sigmoid(), "as after a sigmoid"),
        (lambda y: 0.1 * y.relu(), "as after a ReLU"),
    ],
)
def test_the_kind_of_outputs_is_reported(function: Any, said: str) -> None:
    found = run_doctor(lambda: Ending(function), only=["model.logits"])
    assert said in outcome(found, "model.logits").seen


@pytest.mark.parametrize(
    ("model", "seen", "remedy"),
    [
        (FirstStateDrawn, "the first state is drawn at random", "Start from zeros"),
        (DropoutLeftOn, "outside dropout layers", "training=self.training"),
        (IgnoresEval, "still in training mode: drop", "nn.Dropout registered"),
    ],
)
def test_the_source_of_randomness_in_eval_mode_is_reported(
    model: Any, seen: str, remedy: str
) -> None:
    found = outcome(run_doctor(model, only=["model.eval_mode"]), "model.eval_mode")
    assert seen in found.seen
    assert remedy in found.remedy


def test_how_far_ahead_a_model_reads_is_reported() -> None:
    numbers = outcome(run_doctor(PeekingInTraining), "model.causality").numbers
    # x(t) + x(t + 3): an output at t knows of every token up to t + 3.
    assert numbers["farthest"] == 3
    assert numbers["eval_difference"] == 0 < numbers["training_difference"]


def test_an_untrained_loss_below_what_is_possible_fails() -> None:
    found = outcome(run_doctor(SeesTargets), "model.initial_loss")
    assert found.status == "fail"
    assert found.numbers["nats"] < 1 < 2 < found.numbers["order_0_nats"]
    assert (
        outcome(run_doctor(SeesTargets()), "model.initial_loss").status == "pass"
    )  # may be trained


def test_initial_loss_is_the_cross_entropy_of_the_text() -> None:
    model = Plain()
    numbers = outcome(run_doctor(model), "model.initial_loss").numbers
    # Sixteen rows of T tokens from the beginning of the training part, by hand.
    tokens = np.frombuffer(TEXT, np.uint8)[: 16 * T + 1].astype(np.int64)
    with torch.no_grad():
        logits = model(torch.from_numpy(tokens[:-1].reshape(16, T)))[0].double().numpy()
    rows = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = -np.log([row[t] for row, t in zip(rows.reshape(-1, V), tokens[1:], strict=True)])
    assert numbers["nats"] == pytest.approx(expected.mean(), rel=1e-6)
    assert numbers["even_nats"] == pytest.approx(math.log(256))
