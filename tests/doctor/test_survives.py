"""Models and batches that raise do not stop the examination, and are reported once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from broken_models import QUICK_MODEL, Plain, Raising, batches, cross_entropy
from examined_models import causes, outcome, run_all_checks, run_doctor, run_until_error, subject_of
from torch import Tensor, nn

from seqzoo.doctor.checks import all_checks
from seqzoo.doctor.diagnosis import diagnose
from seqzoo.doctor.subject import Missing, Subject, Unusable
from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.registry import Registry


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
@pytest.mark.parametrize("calls", [0, 1, 4, 5, 20, 60, 130])
def test_a_model_that_raises_at_its_nth_call_does_not_stop_the_examination(
    registry: Registry, calls: int, error: type[BaseException]
) -> None:
    run_until_error(registry, calls, error)


@pytest.mark.slow
@pytest.mark.parametrize("calls", [3, 40, 130])
def test_a_model_that_raises_at_its_nth_call_does_not_stop_slow_checks(
    registry: Registry, calls: int
) -> None:
    run_until_error(registry, calls, SystemExit, quick=False)


def test_checks_that_crash_with_one_message_have_one_cause(registry: Registry) -> None:
    found = run_doctor(lambda left=[10]: Raising(left, RuntimeError))
    crashed = [each for each in found.examined if each.crashed]
    assert len(crashed) > 3
    assert [each.check.name for each in found.causes] == [crashed[0].check.name]


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_model_that_cannot_be_built_is_reported_once(
    registry: Registry, error: type[BaseException]
) -> None:
    tries = []

    def build() -> nn.Module:
        tries.append(1)
        raise error("no such layer")

    found = run_all_checks(registry, model=build)
    assert [each.check.name for each in found.findings] == ["model.contract"]
    assert f"{error.__name__}: no such layer" in outcome(found, "model.contract").seen
    assert outcome(found, "model.causality").seen == "not run, see model.contract"
    assert len(tries) == 1


@pytest.mark.parametrize(
    ("number", "error"), [(0, ValueError), (1, SystemExit), (7, SystemExit), (70, ValueError)]
)
def test_batches_that_raise_are_reported_once(
    registry: Registry, number: int, error: type[BaseException]
) -> None:
    def raising() -> Iterator[Any]:
        for count, batch in enumerate(batches()):
            if count == number:
                raise error("the disk is gone")
            yield batch

    found = run_all_checks(registry, batches=raising)
    assert len(found.examined) == len(all_checks(registry))
    if number < 48:  # what the recording asks for
        assert causes(found) == ["stream.contract"]
        assert f"{error.__name__}: the disk is gone" in outcome(found, "stream.contract").seen
    assert outcome(found, "model.causality").status == "pass"


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ((np.zeros((4, 8), int), np.zeros((4, 7), int)), "differ in shape"),
        ((np.zeros((4, 8), int), np.full((4, 8), 300)), "vocabulary of 256"),
        (np.zeros((3, 4, 8), int), "a batch is a pair"),
    ],
)
def test_batches_that_are_not_pairs_of_ids_are_reported(pair: Any, said: str) -> None:
    found = run_doctor(Plain, batches=lambda: iter([pair] * 60), only=["stream.contract"])
    assert outcome(found, "stream.contract").status == "fail"
    assert said in outcome(found, "stream.contract").seen


def test_a_model_that_is_none_or_cannot_be_copied_has_one_cause(registry: Registry) -> None:
    class Locked(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.lock = threading.Lock()

    for model, said in ((lambda: None, "gave NoneType"), (Locked, "cannot be copied")):
        found = run_all_checks(registry, model=model)
        assert causes(found) == ["model.contract"]
        assert said in outcome(found, "model.contract").seen


def test_a_batch_with_fewer_rows_is_reported() -> None:
    def shrinking() -> Iterator[Any]:
        for count, (inputs, targets) in enumerate(batches()):
            yield (inputs, targets) if count < 9 else (inputs[:2], targets[:2])

    found = run_doctor(Plain, batches=shrinking, only=["stream.contract"], carry_state=True)
    assert "2 rows" in outcome(found, "stream.contract").seen


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        (lambda model, tokens, state: (model(tokens)[0][:, -1], None), "shape (2, 256)"),
        (lambda model, tokens, state: (model(tokens)[0].transpose(0, 1), None), "is (T, B, V)"),
        (lambda model, tokens, state: (model(tokens)[0].transpose(1, 2), None), "is (B, V, T)"),
        (lambda model, tokens, state: (model(tokens)[0].flatten(0, 1), None), "is (B T, V)"),
        (lambda model, tokens, state: ((model(tokens)[0], 1, None), None), "a tuple of 3 (Tensor,"),
        (lambda model, tokens, state: ([model(tokens)[0]], None), "a list of 1 (Tensor)"),
        (lambda model, tokens, state: ({}, None), "dict, which is not a tensor"),
        (lambda model, tokens, state: (model(tokens)[0].argmax(-1, True), None), "torch.int64"),
        (lambda model, tokens, state: (model(tokens)[0], {"a": object()}), "tree of tensors"),
    ],
)
def test_an_unexpected_answer_of_a_model_is_described(forward: Any, said: str) -> None:
    found = run_doctor(Plain, forward=forward)
    assert causes(found) == ["model.contract"]
    assert said in outcome(found, "model.contract").seen


def test_a_failure_is_a_crash_if_the_check_that_reports_it_does_not_run(registry: Registry) -> None:
    def build() -> nn.Module:
        raise ValueError("no such layer")

    found = run_doctor(build, only=["model.rows"])
    assert found.examined[0].crashed
    assert "no such layer" in found.examined[0].outcome.seen


def test_a_check_that_raises_does_not_stop_the_examination(registry: Registry) -> None:
    def leave(subject: Subject) -> Outcome:
        raise SystemExit(3)

    broken = Check(name="model.leaves", summary="leaves", examine=leave)
    subject = Subject(title="nothing", registry=registry)
    found = diagnose(subject, [broken, *QUICK_MODEL])
    assert found.examined[0].crashed
    assert {each.outcome.status for each in found.examined[1:]} == {"skip"}


def test_a_training_that_fails_is_reported_by_the_first_check_that_needs_it(
    registry: Registry,
) -> None:
    asked = []

    def look(subject: Subject) -> Outcome:
        asked.append(1)
        return Outcome.passed(f"{subject.trial.steps} updates")

    def stops_learning(logits: Tensor, targets: Tensor) -> Tensor:
        if logits.requires_grad:
            raise SystemExit("no gradient here")
        return cross_entropy(logits, targets)

    names = ("optimisation.one", "optimisation.two", "verdict.three")
    checks = [Check(name=name, summary="looks", examine=look) for name in names]
    first, *others = diagnose(subject_of(registry, loss=stops_learning), checks).examined
    assert first.crashed
    assert "no gradient here" in first.outcome.seen
    assert {each.outcome.status for each in others} == {"skip"}
    assert len(asked) == 3


def test_what_failed_is_not_tried_twice(registry: Registry) -> None:
    def model() -> nn.Module:
        raise ValueError

    subject = subject_of(registry, model=model)
    for _ in range(2):
        with pytest.raises(Unusable, match="see model") as raised:
            _ = subject.network
        assert isinstance(raised.value, Missing)
        assert isinstance(raised.value.__cause__, ValueError)
