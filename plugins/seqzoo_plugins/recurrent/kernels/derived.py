"""What is computed from parameters once and used until one of them changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

__all__ = ["Derived"]

T = TypeVar("T")


class _OptimizerSteps:
    """How many steps torch's optimizers have made in this process since somebody wanted to know."""

    count = 0
    _is_counting = False

    @classmethod
    def begin(cls) -> None:
        if not cls._is_counting:
            register_optimizer_step_post_hook(cls._add)
            cls._is_counting = True

    @classmethod
    def _add(cls, *_: object) -> None:
        cls.count += 1


class Derived(Generic[T]):
    """A value that is never older than the tensors that it follows from.

    A tensor has changed if it is another one, lies elsewhere, or was written to, which torch
    counts. It does not count the steps of fused optimizers, so that any optimizer's step counts
    here, nor writes through `tensor.data`: whoever makes those calls `doubt`, after which the
    tensors' numbers are compared with those of then. Copies and pickles of it start empty.
    """

    def __init__(self) -> None:
        _OptimizerSteps.begin()
        self._marks: list[tuple[int, int, int]] = []
        self._kept: list[Tensor] = []
        self._numbers: list[Tensor] = []
        self._key: Hashable = None
        self._value: T | None = None
        self._is_empty = True
        self._is_doubted = False

    def doubt(self) -> None:
        """Look at every number the next time."""
        self._is_doubted = True

    def get(self, tensors: Sequence[Tensor], key: Hashable, make: Callable[[], T]) -> T:
        """The value of `make()` for these tensors and this key."""
        try:
            marks = [(id(tensor), tensor.data_ptr(), tensor._version) for tensor in tensors]
        except RuntimeError:  # of tensors made in inference mode torch counts no writes
            return make()
        key = (key, _OptimizerSteps.count)
        if (
            self._is_empty
            or key != self._key
            or marks != self._marks
            or (self._is_doubted and not all(map(torch.equal, tensors, self._numbers)))
        ):
            self._value, self._key, self._marks = make(), key, marks
            # Kept with their memory, so that no other tensor gets their id or their address.
            self._kept = [*tensors, *(tensor.detach() for tensor in tensors)]
            # None, that there is nothing to derive, follows from no number.
            of_numbers = tensors if self._value is not None else ()
            self._numbers = [tensor.detach().clone() for tensor in of_numbers]
            self._is_empty = False
        self._is_doubted = False
        return self._value  # type: ignore[return-value]

    def __deepcopy__(self, memo: dict[int, Any]) -> Derived[T]:
        return Derived()

    def __reduce__(self) -> tuple[type[Derived[T]], tuple[()]]:
        return Derived, ()
