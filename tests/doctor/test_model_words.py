"""What is reported of a model is correct, and the model does not change."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from broken_models import (
    AllEqual,
    B,
    CutOff,
    Forgetful,
    ForOneBatchSize,
    Frozen,
    H,
    IgnoresTokens,
    KeepsItsGraph,
    Locked,
    Overconfident,
    Plain,
    Stateless,
    T,
    V,
    Windowed,
    batches,
    contiguous,
    one_at_a_time,
)
from examined_models import causes, outcome, reported, run_all_checks, run_doctor

from seqzoo.doctor import examine
from seqzoo.plugin.registry import Registry


def test_a_missing_state_is_reported_only_if_batches_continue_each_other() -> None:
    windows = run_doctor(Stateless, batches=batches, carry_state=True)
    assert outcome(windows, "model.state").status == "pass"
    lanes = run_doctor(Stateless, batches=contiguous, carry_state=True)
    assert outcome(lanes, "model.state").status == "warn"
    carried = outcome(run_doctor(Plain, batches=contiguous, carry_state=True), "model.state")
    assert "logits differ from those of one pass by" in carried.seen


def test_parameters_that_learn_nothing_are_named_with_their_share() -> None:
    frozen = outcome(run_doctor(Frozen), "model.gradients")
    total = sum(p.numel() for p in Frozen().parameters())
    assert frozen.status == "warn"
    assert f"{(V * H + V) / total:.0%} of the parameters are frozen" in frozen.seen
    assert "head.weight" in frozen.seen
    assert outcome(run_doctor(CutOff), "model.gradients").status == "fail"
    left_out = run_doctor(
        Plain, optimizer=lambda parameters: torch.optim.SGD(list(parameters)[1:], 0.1)
    )
    assert "embed.weight" in outcome(left_out, "model.gradients").seen


def test_recurrent_weights_that_need_longer_text_are_not_reported_as_detached(
    registry: Registry,
) -> None:
    given: dict[str, Any] = {"batches": one_at_a_time, "carry_state": False}
    gradients = outcome(run_doctor(Plain, **given), "model.gradients")
    assert gradients.status == "pass"
    assert "lstm.weight_hh_l0 on longer text" in gradients.seen
    assert causes(run_doctor(CutOff, **given)) == ["model.gradients"]
    found = run_all_checks(registry, **given)
    assert "memory.horizon" in causes(found), reported(found)
    assert "model.gradients" not in [each.check.name for each in found.findings]


def test_a_model_that_ignores_its_tokens_is_reported(registry: Registry) -> None:
    found = run_all_checks(registry, model=IgnoresTokens)
    assert causes(found) == ["model.contract"], reported(found)
    seen = outcome(found, "model.contract").seen
    assert "the logits do not depend on the tokens" in seen
    assert "equal in" not in seen
    equal = outcome(run_doctor(AllEqual), "model.contract").seen
    assert "all weights are equal in embed.weight" in equal


def test_an_instance_may_be_trained_and_the_report_says_so() -> None:
    new, given = (
        outcome(run_doctor(model), "model.initial_loss")
        for model in (Overconfident, Overconfident())
    )
    assert new.why.startswith("It is sure of itself before")
    assert given.why.startswith("If it is untrained, it is sure")
    assert given.remedy.startswith("If it is untrained")


def test_a_model_with_a_fixed_batch_size_is_read_and_the_report_says_so() -> None:
    found = run_doctor(ForOneBatchSize)
    assert causes(found) == []
    assert f"it reads exactly {B} rows" in outcome(found, "model.contract").seen


def test_a_model_that_cannot_be_copied_is_reported() -> None:
    for model in (Locked, Locked()):
        found = run_doctor(model)
        assert causes(found) == ["model.contract"]
        assert "the model cannot be copied" in outcome(found, "model.contract").seen


@pytest.mark.parametrize("length", [8, 17, 32, 63])
def test_a_model_alone_reads_no_more_than_its_positions(length: int) -> None:
    found = examine(model=Windowed(length), only=["model"], show=False)
    assert {each.outcome.status for each in found.examined} <= {"pass", "skip"}, reported(found)


def test_no_check_of_memory_reads_more_than_the_positions(registry: Registry) -> None:
    found = run_all_checks(registry, model=lambda: Windowed(T), batches=batches, carry_state=False)
    assert not any(each.crashed for each in found.examined), reported(found)
    alone = run_all_checks(registry, model=lambda: Windowed(T), batches=None)
    assert not any(each.crashed for each in alone.examined), reported(alone)


def test_a_score_that_differs_is_reported_with_the_difference_of_a_token() -> None:
    seen = outcome(run_doctor(Forgetful), "model.evaluation").seen
    assert "in shorter pieces (single tokens differ by up to " in seen


def test_the_given_model_does_not_change() -> None:
    model = KeepsItsGraph()
    model.register_buffer("count", torch.zeros(3))
    model.lstm.eval()
    model(torch.zeros(2, 4, dtype=torch.int64))  # its state has a graph now
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    kept, generator = model.kept, torch.get_rng_state()
    run_doctor(model)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    assert [module.training for module in model.modules()] == modes
    assert model.kept is kept
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), generator)
