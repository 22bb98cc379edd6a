"""The optimizers of a training as one: they step together, and their state has names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Optimizer", "fault_in_parts"]

_NUMBER = ":number"
"""The end of the name of a value that is a Python number and no tensor."""


class Optimizer:
    """One or several torch optimizers that step together under one learning-rate factor."""

    def __init__(
        self, model: nn.Module, parts: torch.optim.Optimizer | Sequence[torch.optim.Optimizer]
    ) -> None:
        self._parts = (parts,) if isinstance(parts, torch.optim.Optimizer) else tuple(parts)
        self._names: dict[Tensor, str] = {p: name for name, p in model.named_parameters()}
        self._base_rates = [[group["lr"] for group in part.param_groups] for part in self._parts]

    def zero_grad(self) -> None:
        """Clear the gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)

    def step(self, factor: float) -> None:
        """Update the parameters, every learning rate multiplied by `factor`."""
        for part, rates in zip(self._parts, self._base_rates, strict=True):
            for group, rate in zip(part.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            part.step()

    def tensors(self) -> dict[str, Tensor]:
        """The state of every parameter, as `parameter/key`: all that a resumed run needs.

        Numbers become tensors without dimensions.
        """
        found: dict[str, Tensor] = {}
        for part in self._parts:
            for parameter, entries in part.state.items():
                for key, value in entries.items():
                    name = f"{self._names[parameter]}/{key}"
                    if isinstance(value, Tensor):
                        found[name] = value
                    elif value is not None:
                        found[name + _NUMBER] = torch.tensor(value, dtype=_exact_type(value))
        return found

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `tensors` returned, in this version or by index in an earlier one.

        Raises ValueError if it belongs to other parameters.
        """
        named = _by_name(tensors, [list(_members(part)) for part in self._parts], self._names)
        for part in self._parts:
            names = [self._names[parameter] for parameter in _members(part)]
            state = {i: named.pop(name) for i, name in enumerate(names) if name in named}
            groups = part.state_dict()["param_groups"]
            part.load_state_dict({"state": state, "param_groups": groups})
        if named:
            raise ValueError(
                f"the optimizer has a state of '{next(iter(named))}', which is not here"
            )


def fault_in_parts(
    model: nn.Module, parts: torch.optim.Optimizer | Sequence[torch.optim.Optimizer]
) -> str:
    """What is wrong with the parameters of optimizers, as "found"; "" if nothing is."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    seen: set[nn.Parameter] = set()
    for part in (parts,) if isinstance(parts, torch.optim.Optimizer) else parts:
        for parameter in _members(part):
            if parameter not in names:
                return "a parameter that is not the model's"
            if parameter in seen:
                return f"'{names[parameter]}' in two optimizers"
            seen.add(parameter)
    missing = [name for each, name in names.items() if each.requires_grad and each not in seen]
    return f"no optimizer for '{missing[0]}'" if missing else ""


def _members(part: torch.optim.Optimizer) -> Iterator[nn.Parameter]:
    """The parameters of an optimizer, in the order of its indices."""
    for group in part.param_groups:
        yield from group["params"]


def _exact_type(value: float) -> torch.dtype:
    if isinstance(value, bool):
        return torch.bool
    return torch.int64 if isinstance(value, int) else torch.float64


def _by_name(
    tensors: Mapping[str, Tensor],
    members: Sequence[Sequence[Tensor]],
    names: Mapping[Tensor, str],
) -> dict[str, dict[str, Any]]:
    """The state of each parameter by its name."""
    state: dict[str, dict[str, Any]] = {}
    for full_name, tensor in tensors.items():
        owner, slash, key = full_name.rpartition("/")
        if not slash:  # an earlier version wrote `optimizer.parameter.key`, both by their index
            part, index, key = full_name.split(".", 2)
            owner = names[members[int(part)][int(index)]]
        value = tensor.item() if key.endswith(_NUMBER) else tensor
        state.setdefault(owner, {})[key.removesuffix(_NUMBER)] = value
    return state
