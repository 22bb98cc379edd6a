"""Averages of the weights over updates: beside the training, which they do not change.

Weights move around a minimum with the noise of the gradients, and an average of them is closer to
it: Polyak and Juditsky 1992, doi:10.1137/0330046. Only parameters that are trained are averaged.
Buffers are always the model's own: copies of them would be out of date (pytorch/pytorch#84053).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from seqzoo.recipes.train_section import AverageSection

__all__ = ["Average", "LastWeights", "MovingAverage", "new_average"]

_TRAINED = "trained"
"""The group of the trained weights in a checkpoint whose model has the averaged ones."""


class Average(ABC):
    """An average of a model's trained parameters.

    It is kept in float32 where a parameter has fewer digits, on the parameter's device.
    """

    def __init__(self, model: nn.Module) -> None:
        self._parameters = {
            name: parameter
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }

    @property
    def is_there(self) -> bool:
        """Whether there is something to average yet."""
        return bool(self.groups())

    @abstractmethod
    def after_update(self, step: int) -> None:
        """Take the weights after update `step`, the first of which is 1."""

    @abstractmethod
    def groups(self) -> dict[str, dict[str, Tensor]]:
        """Groups of tensors by the names of the parameters, of which the average is the mean."""

    @abstractmethod
    def groups_at(self, step: int) -> list[str]:
        """The names of the groups after update `step`."""

    @abstractmethod
    def take(self, groups: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Continue from stored groups."""

    def weights(self) -> dict[str, Tensor]:
        """The average by the names of the parameters, in their types; there is one."""
        found = list(self.groups().values())
        return {
            name: torch.stack([group[name] for group in found]).mean(0).to(parameter.dtype)
            for name, parameter in self._parameters.items()
        }

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """In this context the model has the averaged weights; after it, the same bits as before."""
        trained = {name: each.detach().clone() for name, each in self._parameters.items()}
        self._set(self.weights())
        try:
            yield
        finally:
            self._set(trained)

    def stored(
        self, model: nn.Module, *, is_used: bool
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What a checkpoint has: the model's state as it is used, and all else that is needed.

        is_used: whether the averaged weights are used. Then the trained ones are in the second
        part.
        """
        groups = self.groups()
        used: dict[str, Tensor] = model.state_dict()
        if is_used:
            groups[_TRAINED] = {name: each.detach() for name, each in self._parameters.items()}
            averaged = self.weights()
            by_identity = {id(each): averaged[name] for name, each in self._parameters.items()}
            # Tied weights are one parameter with several names.
            for name, each in model.state_dict(keep_vars=True).items():
                used[name] = by_identity.get(id(each), used[name])
        beside = {
            f"{group}/{name}": tensor
            for group, tensors in groups.items()
            for name, tensor in tensors.items()
        }
        return used, beside

    def restore(self, tensors: Mapping[str, Tensor], *, step: int, is_used: bool) -> None:
        """Continue from the second part of what `stored` gave, with the model that has the first.

        Raises ValueError if it is of another step, model or kind of average.
        """
        expected = self.groups_at(step) + [_TRAINED] * is_used
        names = [f"{group}/{name}" for group in expected for name in self._parameters]
        if sorted(names) != sorted(tensors) or expected == [_TRAINED]:
            raise ValueError(
                f"expected averaged weights {', '.join(expected) or 'of no updates'} of "
                f"{len(self._parameters)} parameters, found {len(tensors)} tensors"
            )
        groups = {
            group: {
                # Copies: what is loaded may be used again, and these are changed in place.
                name: self._as_kept(name, tensors[f"{group}/{name}"]).clone()
                for name in self._parameters
            }
            for group in expected
        }
        if is_used:
            self._set(groups.pop(_TRAINED))
        self.take(groups)

    def _as_kept(self, name: str, tensor: Tensor) -> Tensor:
        """A value of a parameter, in the type and on the device of its average."""
        parameter = self._parameters[name]
        if tensor.shape != parameter.shape:
            raise ValueError(f"'{name}' has {tuple(tensor.shape)}, not {tuple(parameter.shape)}")
        kind = torch.promote_types(parameter.dtype, torch.float32)
        return tensor.detach().to(parameter.device, kind)

    def _now(self) -> dict[str, Tensor]:
        return {name: self._as_kept(name, each) for name, each in self._parameters.items()}

    @torch.no_grad()
    def _set(self, weights: Mapping[str, Tensor]) -> None:
        # In place: compiled code and the kernels of recurrent layers keep the address.
        for name, parameter in self._parameters.items():
            parameter.copy_(weights[name])


class MovingAverage(Average):
    """A mean over all updates in which update i of t has the weight i ** (1 / share - 2).

    Its mean age is share * t, whatever t is: the budget need not be known, and there is no warm-up.
    Karras et al. 2024, arXiv:2312.02696, eq. 124-127, with gamma = 1 / share - 2.
    """

    def __init__(self, model: nn.Module, *, share: float) -> None:
        super().__init__(model)
        self._exponent = 1 / share - 1
        self._mean: dict[str, Tensor] = {}

    def after_update(self, step: int) -> None:
        """Move the average a part of the way to the present weights."""
        now = self._now()
        if not self._mean:
            self._mean = {name: torch.zeros_like(value) for name, value in now.items()}
        average = get_ema_multi_avg_fn((1 - 1 / step) ** self._exponent)
        average(list(self._mean.values()), list(now.values()), step)

    def groups(self) -> dict[str, dict[str, Tensor]]:
        """The mean, after the first update."""
        return {"average": self._mean} if self._mean else {}

    def groups_at(self, step: int) -> list[str]:
        """One, after the first update."""
        return ["average"] if step else []

    def take(self, groups: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Continue with this mean."""
        self._mean = dict(groups.get("average", {}))


class LastWeights(Average):
    """The mean of the last k copies of the weights, one from every so many updates.

    Kaddour 2022, arXiv:2209.14981 (LAWA).
    """

    def __init__(self, model: nn.Module, *, k: int, every_steps: int) -> None:
        super().__init__(model)
        self._every = every_steps
        self._copies: deque[dict[str, Tensor]] = deque(maxlen=k)

    def after_update(self, step: int) -> None:
        """Copy the weights if it is time for it; the oldest copy is dropped."""
        if step % self._every == 0:
            self._copies.append({name: value.clone() for name, value in self._now().items()})

    def groups(self) -> dict[str, dict[str, Tensor]]:
        """The copies, the oldest first."""
        return {str(place): copied for place, copied in enumerate(self._copies)}

    def groups_at(self, step: int) -> list[str]:
        """As many as there are by then, at most k."""
        assert self._copies.maxlen is not None
        return [str(place) for place in range(min(step // self._every, self._copies.maxlen))]

    def take(self, groups: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Continue with these copies."""
        self._copies.clear()
        self._copies.extend(dict(copied) for copied in groups.values())


def new_average(section: AverageSection | None, model: nn.Module) -> Average | None:
    """The average that a recipe chooses, before the first update; None for none."""
    if section is None:
        return None
    if section.ema is not None:
        return MovingAverage(model, share=section.ema.share)
    assert section.last_k is not None
    return LastWeights(model, k=section.last_k.k, every_steps=section.last_k.every_steps)
