"""What is said of a model fits it, and leaves it as it was."""

from __future__ import annotations

import copy

import pytest
import torch
from broken_models import (
    AllEqual,
    B,
    CutOff,
    Deaf,
    Forgetful,
    ForOneBatchSize,
    Frozen,
    H,
    KeepsItsGraph,
    Locked,
    Plain,
    Stateless,
    Sure,
    T,
    V,
    Windowed,
    batches,
    causes,
    contiguous,
    one_at_a_time,
    outcome,
    told,
    visit,
    whole_visit,
)

from seqzoo.doctor import examine
from seqzoo.plugin.registry import Registry


def test_no_state_is_told_only_where_batches_continue_each_other() -> None:
    windows = visit(Stateless, batches=batches, carry_state=True)
    assert outcome(windows, "model.state").status == "pass"
    lanes = visit(Stateless, batches=contiguous, carry_state=True)
    assert outcome(lanes, "model.state").status == "warn"
    carried = outcome(visit(Plain, batches=contiguous, carry_state=True), "model.state")
    assert "logits differ from those of one pass by" in carried.seen


def test_parameters_that_learn_nothing_are_named_with_their_share() -> None:
    frozen = outcome(visit(Frozen), "model.gradients")
    total = sum(p.numel() for p in Frozen().parameters())
    assert frozen.status == "warn"
    assert f"{V * H / total:.0%} of the parameters are frozen" in frozen.seen
    assert "embed.weight" in frozen.seen
    assert outcome(visit(CutOff), "model.gradients").status == "fail"
    left_out = visit(Plain, optimizer=lambda parameters: torch.optim.SGD(list(parameters)[1:], 0.1))
    assert "embed.weight" in outcome(left_out, "model.gradients").seen


def test_recurrent_weights_that_one_token_cannot_teach_are_not_told_as_detached(
    registry: Registry,
) -> None:
    given = {"batches": one_at_a_time, "carry_state": False}
    gradients = outcome(visit(Plain, **given), "model.gradients")
    assert gradients.status == "pass"
    assert "lstm.weight_hh_l0 on longer text" in gradients.seen
    assert causes(visit(CutOff, **given)) == ["model.gradients"]
    found = whole_visit(registry, **given)
    assert "memory.horizon" in causes(found), told(found)
    assert "model.gradients" not in [each.check.name for each in found.findings]


def test_a_model_that_ignores_its_tokens_is_told_so(registry: Registry) -> None:
    found = whole_visit(registry, model=Deaf)
    assert causes(found) == ["model.contract"], told(found)
    seen = outcome(found, "model.contract").seen
    assert "the logits do not depend on the tokens" in seen
    assert "equal in" not in seen
    equal = outcome(visit(AllEqual), "model.contract").seen
    assert "all weights are equal in embed.weight" in equal


def test_no_instance_is_said_to_have_seen_nothing() -> None:
    new, given = (outcome(visit(model), "model.initial_loss") for model in (Sure, Sure()))
    assert new.why.startswith("It is sure of itself before")
    assert given.why.startswith("If it is untrained, it is sure")
    assert given.remedy.startswith("If it is untrained")


def test_a_model_whose_batch_size_is_fixed_is_told_so() -> None:
    found = visit(ForOneBatchSize)
    assert causes(found) == ["model.contract"]
    assert f"the batches' {B} rows and no other" in outcome(found, "model.contract").seen
    assert "its batch size is fixed" not in outcome(visit(Deaf), "model.contract").seen


def test_a_model_that_cannot_be_copied_is_told_so() -> None:
    for model in (Locked, Locked()):
        found = visit(model)
        assert causes(found) == ["model.contract"]
        assert "the model cannot be copied" in outcome(found, "model.contract").seen


@pytest.mark.parametrize("length", [8, 17, 32, 63])
def test_a_model_alone_is_read_as_far_as_its_positions_go(length: int) -> None:
    found = examine(model=Windowed(length), only=["model"], show=False)
    assert {each.outcome.status for each in found.examined} <= {"pass", "skip"}, told(found)


def test_no_check_of_memory_reads_more_than_there_are_positions_for(registry: Registry) -> None:
    found = whole_visit(registry, model=lambda: Windowed(T), batches=batches, carry_state=False)
    assert not any(each.crashed for each in found.examined), told(found)
    alone = whole_visit(registry, model=lambda: Windowed(T), batches=None)
    assert not any(each.crashed for each in alone.examined), told(alone)


def test_where_a_score_differs_it_is_told_by_how_much_a_token_does() -> None:
    seen = outcome(visit(Forgetful), "model.evaluation").seen
    assert "in shorter pieces (single tokens differ by up to " in seen


def test_the_model_that_was_given_is_left_as_it_was() -> None:
    model = KeepsItsGraph()
    model.register_buffer("count", torch.zeros(3))
    model.lstm.eval()
    model(torch.zeros(2, 4, dtype=torch.int64))  # its state has a graph now
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    kept, generator = model.kept, torch.get_rng_state()
    visit(model)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    assert [module.training for module in model.modules()] == modes
    assert model.kept is kept
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), generator)
