"""Looks at gradients and values of parameters around a step, without a change to either."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from seqzoo.doctor.watching.visit import Moved

__all__ = ["Sampled", "has_gradient", "norm_of", "values_of"]

_VALUES = 256


def has_gradient(parameter: Tensor) -> bool:
    """Whether there is a gradient that is not all zero."""
    gradient = parameter.grad
    if gradient is None:
        return False
    return bool(_dense(gradient).any())


def norm_of(parameters: Iterable[Tensor]) -> float:
    """The norm of all gradients together."""
    total = 0.0
    for parameter in parameters:
        if parameter.grad is not None:
            total += float(torch.linalg.vector_norm(_dense(parameter.grad).float())) ** 2
    return math.sqrt(total)


def values_of(model: nn.Module) -> dict[str, Tensor]:
    """Copies of all parameters and buffers."""
    return {name: each.detach().clone() for name, each in model.state_dict().items()}


class Sampled:
    """Some values of each parameter before a step, to see which of them the step changes.

    has_gradients: whether the gradients are there already; with a closure they come later.
    """

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], step: int, *, has_gradients: bool
    ) -> None:
        self._before: dict[str, tuple[Tensor, Tensor]] = {}
        self._had_gradients = has_gradients
        for name, parameter in parameters.items():
            gradient = parameter.grad
            if parameter.numel() == 0 or (has_gradients and gradient is None):
                continue
            places = (
                _places(gradient, step)
                if has_gradients and gradient is not None
                else _spread(parameter, step)
            )
            if len(places):
                self._before[name] = places, _at(parameter, places)

    def compare(self, parameters: Mapping[str, nn.Parameter], found: dict[str, Moved]) -> None:
        """Add what has changed since then."""
        for name, (places, before) in self._before.items():
            after = _at(parameters[name], places)
            if not self._had_gradients:
                gradient = parameters[name].grad
                if gradient is None or gradient.is_sparse:
                    continue
                used = gradient.detach().reshape(-1)[places] != 0
                places, before, after = places[used], before[used], after[used]
            each = found.setdefault(name, Moved())
            each.steps += 1
            each.with_gradient += len(places)
            each.moved += int((after != before).sum())
            size = float(torch.linalg.vector_norm(before.float()))
            if parameters[name].ndim > 1 and size > 0:  # not one that begins with zeros
                change = after.float() - before.float()
                each.shares.append(float(torch.linalg.vector_norm(change)) / size)


def _dense(gradient: Tensor) -> Tensor:
    """The values of a gradient; of a sparse one those that it has."""
    gradient = gradient.detach()
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def _places(gradient: Tensor, step: int) -> Tensor:
    """Flat places where the gradient is not zero, other ones in every step."""
    gradient = gradient.detach()
    if gradient.is_sparse:
        gradient = gradient.coalesce()
        row = gradient.values()[0].numel() if len(gradient.values()) else 0
        if not row or gradient.sparse_dim() != 1:
            return torch.empty(0, dtype=torch.int64)
        ids = gradient.indices()[0][:16]
        places = ids[:, None] * row + torch.arange(row, device=ids.device)[None, :16]
        used = gradient.values()[: len(ids)].reshape(len(ids), row)[:, :16] != 0
        return places[used]
    flat = gradient.reshape(-1)
    places = _spread(flat, step)
    chosen = places[flat[places] != 0]
    if not len(chosen):  # an embedding, of which a batch uses few rows
        chosen = torch.nonzero(flat)[:_VALUES, 0]
    return chosen


def _spread(values: Tensor, step: int) -> Tensor:
    stride = max(1, values.numel() // _VALUES)
    return torch.arange(step % stride, values.numel(), stride, device=values.device)[:_VALUES]


def _at(parameter: Tensor, places: Tensor) -> Tensor:
    return parameter.detach().reshape(-1)[places].clone()
