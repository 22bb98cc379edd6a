"""The learning-rate schedule, and which parameters each optimizer updates."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from seqzoo.plugin.contracts import SequenceModel, State
from seqzoo.recipes.sections import OptimizerSection, ScheduleSection
from seqzoo.training.optimizers import Optimizer, learning_rate_factor


class Tiny(SequenceModel):
    """Embedding, one hidden matrix, head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.hidden = nn.Linear(6, 6)
        self.head = nn.Linear(6, 11)

    def initial_state(self, batch_size: int) -> State:
        return torch.zeros(batch_size, 1)

    def forward(self, tokens: torch.Tensor, state: State | None = None) -> Any:
        return self.head(self.hidden(self.embed(tokens)).tanh()), torch.zeros(len(tokens), 1)


def choice(name: str, weight_decay: float = 0.5) -> OptimizerSection:
    return OptimizerSection.model_validate(
        {"name": name, "learning_rate": 0.1, "weight_decay": weight_decay}
    )


def schedule(decay: str, warmup_steps: int = 0, final_fraction: float = 0.0) -> ScheduleSection:
    return ScheduleSection.model_validate(
        {"decay": decay, "warmup_steps": warmup_steps, "final_fraction": final_fraction}
    )


def updated(name: str, seed: int, steps: int = 3) -> Tiny:
    torch.manual_seed(seed)
    model = Tiny()
    optimizer = Optimizer(model, choice(name))
    tokens = torch.randint(0, 11, (4, 5))
    for _ in range(steps):
        optimizer.zero_grad()
        model(tokens)[0].square().mean().backward()
        optimizer.step(1.0)
    return model


def test_muon_updates_only_hidden_matrices() -> None:
    model = Tiny()
    assert list(map(id, model.hidden_matrices())) == [id(model.hidden.weight)]


def test_the_muon_update_of_a_matrix_is_nearly_orthogonal() -> None:
    torch.manual_seed(0)
    model = Tiny()
    before = model.hidden.weight.detach().clone()
    optimizer = Optimizer(model, choice("muon", weight_decay=0.0))
    model(torch.randint(0, 11, (4, 5)))[0].square().mean().backward()
    optimizer.step(1.0)
    singular = torch.linalg.svdvals((model.hidden.weight.detach() - before) / 0.02)
    # Newton-Schulz's quintic leaves singular values between about 0.7 and 1.2.
    assert singular.max() < 1.5
    assert singular.median() > 0.5


def test_adamw_equals_the_textbook_update() -> None:
    torch.manual_seed(3)
    model = Tiny()
    weight = model.head.weight.detach().double().clone()
    bias = model.head.bias.detach().double().clone()
    optimizer = Optimizer(model, choice("adamw"))
    model(torch.randint(0, 11, (4, 5)))[0].square().mean().backward()
    assert model.head.weight.grad is not None
    assert model.head.bias.grad is not None
    gradients = [model.head.weight.grad.double().clone(), model.head.bias.grad.double().clone()]
    optimizer.step(0.5)
    for value, gradient, decay, now in zip(
        (weight, bias),
        gradients,
        (0.5, 0.0),  # biases do not decay
        (model.head.weight, model.head.bias),
        strict=True,
    ):
        rate = 0.1 * 0.5
        # After one step both bias-corrected moments are the gradient and its square.
        expected = value * (1 - rate * decay) - rate * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(now.double(), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_restored_moments_give_the_same_updates(name: str) -> None:
    tokens = torch.randint(0, 11, (4, 5))

    def step(model: Tiny, optimizer: Optimizer) -> None:
        optimizer.zero_grad()
        model(tokens)[0].square().mean().backward()
        optimizer.step(0.7)

    torch.manual_seed(1)
    first = Tiny()
    first_optimizer = Optimizer(first, choice(name))
    for _ in range(3):
        step(first, first_optimizer)
    second = Tiny()
    second.load_state_dict(first.state_dict())
    second_optimizer = Optimizer(second, choice(name))
    second_optimizer.restore({k: v.clone() for k, v in first_optimizer.tensors().items()})
    for _ in range(3):
        step(first, first_optimizer)
        step(second, second_optimizer)
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_every_parameter_is_updated(name: str) -> None:
    torch.manual_seed(5)
    before = Tiny()
    after = updated(name, 5)
    for old, new in zip(before.parameters(), after.parameters(), strict=True):
        assert not torch.equal(old, new)


def test_the_learning_rate_rises_linearly_in_warm_up() -> None:
    plan = schedule("constant", warmup_steps=4)
    factors = [learning_rate_factor(plan, step=step, progress=0.0) for step in range(6)]
    assert factors == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_decays_from_one_to_the_final_fraction() -> None:
    plan = schedule("cosine", final_fraction=0.1)
    at = [learning_rate_factor(plan, step=9, progress=share) for share in (0.0, 0.5, 1.0)]
    assert at == pytest.approx([1.0, 0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2, 0.1])


def test_linear_decay_is_one_half_in_the_middle() -> None:
    assert learning_rate_factor(schedule("linear"), step=9, progress=0.5) == pytest.approx(0.5)
