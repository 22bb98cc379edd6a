"""Tensors that a module uses: those that its graph ends in, and those that its attributes keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from seqzoo.doctor.checks.model._passes import seeded
from seqzoo.doctor.evidence.network import Network

__all__ = ["graph_leaves", "kept_tensors", "names_outside"]

_MOST_PARTS = 10_000


def graph_leaves(output: Tensor) -> list[Tensor]:
    """The leaves that a backward pass from `output` would give a gradient, each once."""
    found: dict[int, Tensor] = {}
    seen, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if (leaf := getattr(node, "variable", None)) is not None:
            found[id(leaf)] = leaf
        waiting += [before for before, _ in node.next_functions]
    return list(found.values())


def kept_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Name and value of the leaf tensors that attributes hold and that are not registered.

    Also those of modules that are not registered, in lists, tuples, dictionaries and other objects
    of the same program.
    """
    registered = {id(part) for part in module.modules()}
    tensors = {id(tensor) for tensor in [*module.parameters(), *module.buffers()]}
    seen = set(registered)
    waiting: list[tuple[str, Any]] = [
        (f"{name}.{key}" if name else key, value)
        for name, part in module.named_modules()
        for key, value in vars(part).items()
        if key not in ("_parameters", "_buffers", "_modules")
    ]
    count = 0
    while waiting and (count := count + 1) < _MOST_PARTS:
        name, value = waiting.pop(0)
        if id(value) in seen:
            continue
        if isinstance(value, Tensor):
            if value.is_leaf and id(value) not in tensors:
                tensors.add(id(value))
                yield name, value
        elif (parts := list(_parts(value))) or isinstance(value, nn.Module):
            seen.add(id(value))
            waiting += [(f"{name}{part}", inner) for part, inner in parts]


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, nn.Module):
        for name, tensor in [*value.named_parameters(), *value.named_buffers()]:
            yield f".{name}", tensor
    elif isinstance(value, Mapping):
        yield from ((f"[{key!r}]", inner) for key, inner in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{place}]", inner) for place, inner in enumerate(value))
    elif hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        yield from ((f".{name}", inner) for name, inner in vars(value).items())


def names_outside(network: Network, tokens: Tensor) -> list[str]:
    """Names of the tensors that get a gradient and are not parameters."""
    copy = network.copied()
    copy.module.train()
    # Found before the pass: what a pass leaves behind is a state and not a weight.
    names = {id(tensor): name for name, tensor in kept_tensors(copy.module)}
    known = {id(parameter) for parameter in copy.module.parameters()}
    with seeded(0), torch.enable_grad():
        logits, _ = copy(tokens)
    found = [leaf for leaf in graph_leaves(logits) if id(leaf) not in known]
    return [names.get(id(leaf)) or _nameless(leaf) for leaf in found]


def _nameless(leaf: Tensor) -> str:
    return f"a weight {tuple(leaf.shape)} that no attribute keeps (made in forward, or global)"
