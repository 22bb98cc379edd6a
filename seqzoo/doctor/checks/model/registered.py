"""Whether the module knows all its weights, and each layer stands in one place.

Method: the graph of one pass in training mode is followed to its leaves: each tensor that gets a
gradient must be one of `parameters()`. Tensors without a gradient that the module keeps count as
weights if they look random (no two values are equal and neighbours are not correlated, as those of
tables of sines are), if reading does not replace them, and if other values change the logits. Then
containers (ModuleList, Sequential, ModuleDict) are searched for layers with parameters that stand
in several places. Cost: three passes. Pass rule: nothing of this is found. Warn: a layer in several
places of one container, which may be intended. Source: torch.nn.Module: only modules and parameters
that are attributes are registered, not those in lists or dictionaries.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn

from seqzoo.doctor.checks.model._passes import length_for, listed, logits_of, seeded
from seqzoo.doctor.checks.model._unregistered import kept_tensors, names_outside
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_CORRELATED = 0.2
_FEWEST_VALUES = 32


def examine(subject: Subject) -> Outcome:
    network = subject.network
    tokens = subject.random_tokens(4, length_for(subject))
    trained = names_outside(network, tokens)
    if trained:
        return _failed(
            f"parameters() does not have {listed(trained)}: no optimizer can train what it is not "
            f"given",
            len(trained),
        )
    if fixed := _random_tables(network, tokens):
        return _failed(
            f"{listed(fixed)}: a tensor with random values that parameters() does not have is used "
            f"as a weight, and is never trained",
            len(fixed),
        )
    if shared := _in_several_places(network.module):
        return Outcome.warned(
            f"one layer stands in several places: {listed(shared)}",
            why="The places share their weights, so the model is smaller and less able than it "
            "looks. [layer] * n and a layer that is appended n times do this.",
            remedy="Make a new layer for each place: nn.ModuleList(Layer() for _ in range(n)). "
            "Ignore this if the layers share their weights on purpose.",
            numbers={"shared": float(len(shared))},
        )
    count = sum(1 for _ in network.module.parameters())
    return Outcome.passed(f"parameters() has every weight that is used, {count}", weights=count)


def _failed(seen: str, count: int) -> Outcome:
    return Outcome.failed(
        seen,
        why="model.parameters(), model.to(device) and state_dict() see only what is registered: "
        "these weights are never trained, not moved and not saved.",
        remedy="Register them: nn.ModuleList for a list of layers, nn.ModuleDict for a dictionary, "
        "nn.Parameter for a tensor, register_buffer for one that is not trained; make layers in "
        "__init__, not in forward.",
        numbers={"outside": float(count)},
    )


def _random_tables(network: Network, tokens: Tensor) -> list[str]:
    """Names of kept tensors that look random, stay as they are, and change the logits."""
    copy = network.copied()
    tables = {
        name: tensor
        for name, tensor in kept_tensors(copy.module)
        if not isinstance(tensor, nn.Parameter) and _looks_random(tensor)
    }
    if not tables:
        return []
    before = logits_of(copy, [tokens])
    with seeded(0), torch.no_grad():
        copy(tokens)
    after = dict(kept_tensors(copy.module))
    found = []
    for name, table in tables.items():
        if after.get(name) is not table:
            continue  # a state, or a cache of the last text
        other = network.copied()
        with torch.no_grad():
            dict(kept_tensors(other.module))[name].mul_(-1.0)
        if not torch.equal(logits_of(other, [tokens]), before):
            found.append(name)
    return found


def _looks_random(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or tensor.ndim < 2 or tensor.numel() < _FEWEST_VALUES:
        return False
    values = tensor.detach().double().flatten(0, -2)
    if len(values) < 2 or len(values.unique()) < 0.99 * values.numel():
        return False
    values = (values - values.mean()) / values.std().clamp_min(1e-30)
    below = (values[1:] * values[:-1]).mean().abs()
    beside = (values[:, 1:] * values[:, :-1]).mean().abs() if values.shape[1] > 1 else below
    return bool(max(below, beside) < max(_CORRELATED, 4 / values.numel() ** 0.5))


def _in_several_places(module: nn.Module) -> list[str]:
    """Names of containers whose children are one and the same layer more than once."""
    return [
        f"{name or 'the model'} has {type(child).__name__} {count} times"
        for name, part in module.named_modules()
        if isinstance(part, (nn.ModuleList, nn.Sequential, nn.ModuleDict))
        for child, count in Counter(part._modules.values()).items()
        if count > 1 and child is not None and any(True for _ in child.parameters())
    ]
