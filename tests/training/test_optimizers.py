"""Optimizers of a training: they step together, and their state is stored by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny import Recurrent
from torch import Tensor, nn

from seqzoo.training.optimizers import Optimizer, fault_in_parts


class Counting(torch.optim.Optimizer):
    """Keeps tensors, numbers of each type and None for every parameter, as third parties may."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["calls"] = state.get("calls", 0) + 1
                state["share"] = 0.1 + state.get("share", 0.2)
                state["is_new"] = state["calls"] == 1
                state["nothing"] = None
                state["mean.of"] = state.get("mean.of", torch.zeros(2)) + parameter.flatten()[:2]
                parameter.sub_(group["lr"] * state["share"] * state["calls"])


def gradients(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def made(*names: str, kind: Any = torch.optim.Adam) -> tuple[Recurrent, Optimizer]:
    """One optimizer for the named parameters, and one for the others."""
    torch.manual_seed(0)
    model = Recurrent(vocab_size=5, hidden_size=3)
    first = [p for name, p in model.named_parameters() if name in names]
    others = [p for name, p in model.named_parameters() if name not in names]
    parts = [kind([{"params": each, "lr": 0.1}], lr=0.1) for each in (first, others) if each]
    return model, Optimizer(model, tuple(parts))


def values(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_the_factor_multiplies_the_rate_of_every_group() -> None:
    torch.manual_seed(0)
    model = Recurrent(vocab_size=5, hidden_size=3)
    before = values(model)
    rates = [0.1 * (index + 1) for index in range(len(before))]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(model.parameters(), rates, strict=True)]
    optimizer = Optimizer(model, (torch.optim.SGD(groups[:2]), torch.optim.SGD(groups[2:])))
    for seed, factor in enumerate((0.5, 0.25)):
        gradients(model, seed)
        steps = [p.grad.clone() * factor for p in model.parameters() if p.grad is not None]
        before = [b - rate * s for b, rate, s in zip(before, rates, steps, strict=True)]
        optimizer.step(factor)
    for now, expected in zip(model.parameters(), before, strict=True):
        torch.testing.assert_close(now.detach(), expected)


@pytest.mark.parametrize("kind", [torch.optim.Adam, Counting])
def test_a_restored_state_gives_the_same_updates_in_another_order_of_parameters(
    kind: Any,
) -> None:
    model, optimizer = made("embed.weight", kind=kind)
    for seed in range(3):
        gradients(model, seed)
        optimizer.step(1.0)
    other, reordered = made("head.bias", "rnn.weight_hh_l0", kind=kind)
    other.load_state_dict(model.state_dict())
    reordered.restore({name: each.clone() for name, each in optimizer.tensors().items()})
    for seed in range(3, 6):
        for each, own in ((model, optimizer), (other, reordered)):
            gradients(each, seed)
            own.step(0.5)
    assert all(map(torch.equal, values(model), values(other)))


def test_states_are_stored_under_the_names_of_their_parameters() -> None:
    model, optimizer = made("embed.weight", kind=Counting)
    gradients(model, 0)
    optimizer.step(1.0)
    tensors = optimizer.tensors()
    assert {name.rpartition("/")[0] for name in tensors} == set(dict(model.named_parameters()))
    assert tensors["head.bias/calls:number"].dtype == torch.int64
    assert tensors["head.bias/is_new:number"].dtype == torch.bool
    assert not any("nothing" in name for name in tensors)


def test_a_state_of_an_earlier_version_is_read_by_its_index() -> None:
    """Then a state was called `optimizer.parameter.key`, both counted from 0 in their groups."""
    model, optimizer = made("embed.weight")
    gradients(model, 0)
    optimizer.step(1.0)
    earlier = {
        f"{number}.{index}.{key}": value
        for number, part in enumerate(optimizer._parts)
        for index, entries in part.state_dict()["state"].items()
        for key, value in entries.items()
    }
    assert len(earlier) == len(optimizer.tensors())
    _, restored = made("embed.weight")
    restored.restore(earlier)
    for name, value in optimizer.tensors().items():
        assert torch.equal(restored.tensors()[name], value)


def test_a_state_of_an_unknown_parameter_is_an_error() -> None:
    model, optimizer = made()
    gradients(model, 0)
    optimizer.step(1.0)
    tensors = optimizer.tensors()
    tensors["gate.weight/exp_avg"] = torch.zeros(3)
    with pytest.raises(ValueError, match=r"a state of 'gate\.weight'"):
        made()[1].restore(tensors)


def test_each_trained_parameter_must_be_in_one_optimizer() -> None:
    model = Recurrent(vocab_size=5, hidden_size=3)
    everything = torch.optim.SGD(model.parameters(), lr=0.1)
    head = torch.optim.SGD(model.head.parameters(), lr=0.1)
    foreign = torch.optim.SGD(Recurrent().parameters(), lr=0.1)
    assert fault_in_parts(model, everything) == ""
    assert fault_in_parts(model, (everything, head)) == "'head.weight' in two optimizers"
    assert fault_in_parts(model, head) == "no optimizer for 'embed.weight'"
    assert fault_in_parts(model, foreign) == "a parameter that is not the model's"
    model.embed.requires_grad_(False)
    model.rnn.requires_grad_(False)
    assert fault_in_parts(model, head) == ""
