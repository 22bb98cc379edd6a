"""The laws of optimizers, tried on a small network with parameters of every role."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from seqzoo.plugin.contexts import NamedParameter, OptimizerContext
from seqzoo.plugin.roles import ParameterRole, default_roles
from seqzoo.plugin.specs import OptimizerSpec
from seqzoo.testing.given import Given
from seqzoo.testing.law import Law, law, require

__all__ = ["GIVEN", "LAWS"]

_SIZE, _VOCAB_SIZE = 6, 9


class _Network(nn.Module):
    """Its parameters are an embedding, matrices, a head, and others."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(_VOCAB_SIZE, _SIZE)
        self.layers = nn.ModuleList([nn.Linear(_SIZE, _SIZE) for _ in range(2)])
        self.norm = nn.LayerNorm(_SIZE)
        self.head = nn.Linear(_SIZE, _VOCAB_SIZE)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, V) logits of one token each."""
        x: Tensor = self.embed(tokens)
        for layer in self.layers:
            x = torch.tanh(layer(x))
        logits: Tensor = self.head(self.norm(x))
        return logits


class GIVEN(Given[OptimizerSpec]):
    """An optimizer with one choice of options."""

    def build(self) -> None:
        """Refuses what it cannot build."""
        self.optimizers(_Network())

    def optimizers(self, network: nn.Module, **rates: float) -> tuple[Any, ...]:
        """Those of a network. rates: factors by the first part of a parameter's name."""
        roles = default_roles(network)
        named = tuple(
            NamedParameter(
                name=name,
                parameter=parameter,
                role=ParameterRole(
                    use=roles[name].use,
                    decay=roles[name].decay,
                    rate=rates.get(name.partition(".")[0], 1.0),
                ),
            )
            for name, parameter in network.named_parameters()
        )
        built = self.spec.build(self.options, OptimizerContext(parameters=named))
        return built if isinstance(built, tuple) else (built,)


def _give_gradients(network: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for each in network.parameters():
        each.grad = torch.randn(each.shape, generator=generator)


def _step(optimizers: tuple[Any, ...]) -> None:
    for each in optimizers:
        each.step()


def _changed(network: nn.Module, before: dict[str, Tensor]) -> list[str]:
    return [n for n, each in network.named_parameters() if not torch.equal(each, before[n])]


def _copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in network.named_parameters()}


@law(
    "optimizer.calls",
    says="each parameter belongs to exactly one torch optimizer, and a step changes all of them",
    cause="a role that no group has, a parameter in two groups, or a step that is not called",
    every_option=True,
    is_gate=True,
)
def _calls(given: GIVEN) -> None:
    network = _Network()
    optimizers = given.optimizers(network)
    wrong = [each for each in optimizers if not isinstance(each, torch.optim.Optimizer)]
    require(not wrong, f"`build` returned a {type(wrong[0]).__name__}" if wrong else "")
    names = {id(each): name for name, each in network.named_parameters()}
    members = [id(p) for each in optimizers for group in each.param_groups for p in group["params"]]
    twice = sorted({names.get(each, "?") for each in members if members.count(each) > 1})
    require(not twice, f"{', '.join(twice[:3])} is in two groups")
    missing = sorted(name for each, name in names.items() if each not in members)
    require(not missing, f"{', '.join(missing[:3])} is in no group")
    before = _copied(network)
    _give_gradients(network, 0)
    _step(optimizers)
    kept = sorted(set(before) - set(_changed(network, before)))
    require(not kept, f"a step does not change {', '.join(kept[:3])}")


@law(
    "optimizer.rate",
    says="a learning rate of 0 changes nothing, and neither does a role with rate 0",
    cause="a rate that is read once at the beginning, weight decay that ignores it, or roles that "
    "are not looked at (`context.groups` does)",
    every_option=True,
)
def _rate(given: GIVEN) -> None:
    network = _Network()
    optimizers = given.optimizers(network)
    for group in (group for each in optimizers for group in each.param_groups):
        group["lr"] = 0 * group["lr"]
    before = _copied(network)
    _give_gradients(network, 0)
    _step(optimizers)
    changed = _changed(network, before)
    require(not changed, f"with a learning rate of 0 a step changes {', '.join(changed[:3])}")
    network = _Network()
    optimizers = given.optimizers(network, layers=0.0)
    before = _copied(network)
    _give_gradients(network, 0)
    _step(optimizers)
    changed = [name for name in _changed(network, before) if name.startswith("layers")]
    require(not changed, f"with a role of rate 0 a step changes {', '.join(changed[:3])}")


@law(
    "optimizer.restored",
    says="its state is tensors and numbers, and with a copy of it the same updates follow",
    cause="moments or counters that are kept outside of `optimizer.state`",
    cases=[{"updates": 3}],
    every_option=True,
)
def _restored(given: GIVEN, updates: int) -> None:
    first = _Network()
    optimizers = given.optimizers(first)
    for seed in range(updates):
        _give_gradients(first, seed)
        _step(optimizers)
    for each in optimizers:
        for state in each.state.values():
            wrong = [k for k, v in state.items() if not isinstance(v, (Tensor, int, float))]
            what = type(state[wrong[0]]).__name__ if wrong else ""
            require(not wrong, f"its state has a {what} at '{wrong[0] if wrong else ''}'")
    second = copy.deepcopy(first)
    restored = given.optimizers(second)
    for ours, theirs in zip(restored, optimizers, strict=True):
        ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    for seed in range(updates, 2 * updates):
        for network, own in ((first, optimizers), (second, restored)):
            _give_gradients(network, seed)
            _step(own)
    other = _changed(second, _copied(first))
    require(not other, f"after a restored state {', '.join(other[:3])} is updated otherwise")


@law(
    "optimizer.learns",
    says="the loss of a small network goes down, and nothing becomes infinite or nan",
    cause="a step in the wrong direction, or a division by a moment that is zero",
    cases=[{"updates": 100}],
    shrinks=False,
)
def _learns(given: GIVEN, updates: int) -> None:
    network = _Network()
    optimizers = given.optimizers(network)
    tokens = torch.arange(_VOCAB_SIZE)
    losses = []
    for _ in range(updates):
        loss = nn.functional.cross_entropy(network(tokens), tokens.roll(1))
        losses.append(float(loss.detach()))
        network.zero_grad()
        loss.backward()
        _step(optimizers)
    require(losses[-1] < losses[0], f"the loss goes from {losses[0]:.3g} to {losses[-1]:.3g}")
    for each in network.parameters():
        each.grad = torch.zeros_like(each)
    _step(optimizers)
    bad = [name for name, each in network.named_parameters() if not bool(each.isfinite().all())]
    require(not bad, f"after a gradient of zeros {', '.join(bad[:3])} is not finite")


@law(
    "optimizer.learning_rates",
    says="`learning_rates` names options of it",
    cause="an option that was renamed",
)
def _learning_rates(given: GIVEN) -> None:
    unknown = [n for n in type(given.options).learning_rates if not hasattr(given.options, n)]  # type: ignore[attr-defined]
    require(not unknown, f"it has no option {', '.join(unknown)}")


LAWS: tuple[Law, ...] = (_calls, _rate, _restored, _learns, _learning_rates)
