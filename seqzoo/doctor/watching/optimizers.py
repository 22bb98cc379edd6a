"""Which optimizers a loop uses, and which of the model's parameters each has.

An optimizer that a loop drops is not kept alive: its state may be as large as the model.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Optimizers", "groups_of", "remembers"]

_LOOKED_AT = 4


def groups_of(optimizer: Any) -> list[dict[str, Any]]:
    """The groups of an optimizer like torch's; none of any other."""
    groups = getattr(optimizer, "param_groups", None)
    return groups if isinstance(groups, list) else []


def remembers(optimizer: Any) -> bool:
    """Whether it has moments, or other tensors of earlier steps."""
    state = getattr(optimizer, "state", None)
    if not isinstance(state, Mapping):
        return False
    return any(
        isinstance(value, Tensor) and value.numel() > 1
        for each in islice(state.values(), _LOOKED_AT)
        if isinstance(each, Mapping)
        for value in each.values()
    )


@dataclass(frozen=True)
class _Known:
    optimizer: Callable[[], Any]
    number: int
    size: int
    own: frozenset[str]


def _reference(optimizer: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(optimizer)
    except TypeError:  # of a class with slots
        return lambda: optimizer


class Optimizers:
    """Those that are seen. parameters: the model's, by name.

    owned: parameters that one of them has. twice: those that one has twice.
    kind, defaults: how the first one with a parameter was made.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self.owned: set[str] = set()
        self.twice: set[str] = set()
        self.kind: type[torch.optim.Optimizer] | None = None
        self.defaults: dict[str, Any] = {}
        self._names = {id(each): name for name, each in parameters.items()}
        self._known: dict[int, _Known] = {}
        self._numbers = count()
        self._places: set[int] = set()

    def look_up(self, optimizer: Any) -> tuple[int, frozenset[str]]:
        """A number of its own, and the model's parameters that it has; groups may be added."""
        size = sum(len(group["params"]) for group in groups_of(optimizer))
        known = self._known.get(id(optimizer))
        if known is not None and known.optimizer() is not optimizer:
            known = None  # another one had this place in memory
        if known is not None and known.size == size:
            return known.number, known.own
        given = [p for group in groups_of(optimizer) for p in group["params"]]
        places = [name for p in given if (name := self._names.get(id(p))) is not None]
        own = frozenset(places)
        number = next(self._numbers) if known is None else known.number
        self._forget_the_dead()
        self._known[id(optimizer)] = _Known(_reference(optimizer), number, size, own)
        self._places |= {id(each) for each in given}
        self.owned |= own
        if len(places) > len(own):
            self.twice |= {name for name in own if places.count(name) > 1}
        if own and self.kind is None and isinstance(optimizer, torch.optim.Optimizer):
            self.kind, self.defaults = type(optimizer), dict(optimizer.defaults)
        return number, own

    def of_all(self) -> list[tuple[int, frozenset[str]]]:
        """What `look_up` has returned, of those that still exist."""
        self._forget_the_dead()
        return [(each.number, each.own) for each in self._known.values()]

    def _forget_the_dead(self) -> None:
        self._known = {
            place: each for place, each in self._known.items() if each.optimizer() is not None
        }

    def without(self, parameters: Iterable[tuple[str, nn.Parameter]]) -> frozenset[str]:
        """The names of those that are trained and were given to no optimizer."""
        return frozenset(
            name for name, each in parameters if each.requires_grad and id(each) not in self._places
        )
