"""Laws of every installed optimizer and schedule."""

from __future__ import annotations

import copy

import pytest
import torch
from installed_architectures import VOCAB_SIZE, build, every_architecture
from made_trainings import made_optimizer, parts_of, train_section
from tiny import Recurrent

from seqzoo.plugin.registry import load_registry
from seqzoo.plugin.roles import ParameterRole, fault_in_roles

every_optimizer = pytest.mark.parametrize("name", load_registry().names("optimizer"))
every_schedule = pytest.mark.parametrize("name", load_registry().names("schedule"))


def tiny_model() -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(vocab_size=7, hidden_size=5)


def give_gradients(model: Recurrent, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


@every_optimizer
def test_restored_moments_give_the_same_updates(name: str) -> None:
    first = tiny_model()
    optimizer = made_optimizer(first, name)
    for seed in range(3):
        give_gradients(first, seed)
        optimizer.step(1.0)
    second = copy.deepcopy(first)
    restored = made_optimizer(second, name)
    restored.restore({key: value.clone() for key, value in optimizer.tensors().items()})
    for seed in range(3, 6):
        for model, own in ((first, optimizer), (second, restored)):
            give_gradients(model, seed)
            own.step(0.7)
    assert all(map(torch.equal, first.parameters(), second.parameters()))


@every_optimizer
def test_every_parameter_is_updated_and_a_factor_of_0_changes_nothing(name: str) -> None:
    model = tiny_model()
    optimizer = made_optimizer(model, name)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    give_gradients(model, 0)
    optimizer.step(0.0)
    assert all(map(torch.equal, before, model.parameters()))
    optimizer.step(1.0)
    assert not any(map(torch.equal, before, model.parameters()))


@every_optimizer
def test_a_role_with_rate_0_keeps_its_parameter(name: str) -> None:
    class Frozen(Recurrent):
        def parameter_roles(self) -> dict[str, ParameterRole]:
            roles = super().parameter_roles()
            return {
                key: ParameterRole(use=role.use, decay=role.decay, rate=float("rnn" in key))
                for key, role in roles.items()
            }

    torch.manual_seed(0)
    model = Frozen(vocab_size=7, hidden_size=5)
    optimizer = made_optimizer(model, name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    give_gradients(model, 0)
    optimizer.step(1.0)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]) == ("rnn" not in key), key


@every_schedule
def test_a_schedule_depends_on_its_arguments_alone_and_is_no_less_than_0(name: str) -> None:
    section = train_section(
        {"budget": {"steps": 50}, "schedule": {"decay": name, "warmup_steps": 5}}
    )
    schedules = [parts_of(tiny_model(), section)["schedule"] for _ in range(2)]
    forwards = [schedules[0].factor(step, step / 50) for step in range(51)]
    backwards = [schedules[1].factor(step, step / 50) for step in reversed(range(51))]
    assert forwards == backwards[::-1]
    assert min(forwards) >= 0


@every_architecture
def test_every_parameter_has_a_role_and_no_embedding_is_a_matrix(name: str) -> None:
    model = build(load_registry().get("architecture", name))
    roles = model.parameter_roles()
    assert fault_in_roles(model, roles) == ""
    matrices = [p for name, p in model.named_parameters() if roles[name].use == "matrix"]
    assert all(VOCAB_SIZE not in matrix.shape for matrix in matrices)
