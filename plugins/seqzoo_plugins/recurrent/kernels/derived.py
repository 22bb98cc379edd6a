"""A value that is computed from parameters once and kept until one of them changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from seqzoo_plugins.recurrent.kernels.torch_internals import write_marks

__all__ = ["Derived"]

T = TypeVar("T")


class Derived(Generic[T]):
    """A value that is never older than the tensors it is computed from.

    torch counts the writes to a tensor, and a new count, address or identity means a new value.
    Two kinds of writes are not counted: the steps of fused optimizers, and writes through
    `tensor.data`. After each event that allows one, the numbers are compared with a copy:

    - A fused optimizer needs gradients. The numbers are compared at every call while a tensor has
      one, once more after it was removed, and after every `doubt()`, which the owner calls when it
      makes a graph.
    - For a write through `tensor.data` nothing can be observed. The numbers are compared where the
      caller says `recheck`, as it does at the beginning of a text, and after `doubt()`.

    Copies and pickles of it are empty.
    """

    def __init__(self) -> None:
        self._marks: list[tuple[int, int, int, bool]] | None = None
        self._kept: list[Tensor] = []
        self._numbers: list[Tensor] = []
        self._key: Hashable = None
        self._value: T | None = None
        self._is_doubted = False

    @property
    def value(self) -> T | None:
        """The value that was computed last, which may be too old; None where there is none."""
        return self._value

    def doubt(self) -> None:
        """Compare all numbers at the next call."""
        self._is_doubted = True

    def get(
        self,
        tensors: Sequence[Tensor],
        key: Hashable,
        make: Callable[[], T],
        *,
        recheck: bool = False,
    ) -> T:
        """The value of `make()` for these tensors and this key."""
        marks = write_marks(tensors)
        if marks is None:
            return make()
        is_same = marks == self._marks and key == self._key
        if not is_same or recheck or self._is_doubted:
            if not is_same or not all(map(torch.equal, tensors, self._numbers)):
                self._value, self._key, self._marks = make(), key, marks
                # References keep the memory in use: no other tensor gets the id or the address.
                self._kept = [*tensors, *(tensor.detach() for tensor in tensors)]
                # The value None depends on no number.
                of_numbers = tensors if self._value is not None else ()
                self._numbers = [tensor.detach().clone() for tensor in of_numbers]
            # A gradient that is there now can be applied and removed before the next call.
            self._is_doubted = not all(has_none for *_, has_none in marks)
        return self._value  # type: ignore[return-value]

    def __deepcopy__(self, memo: dict[int, Any]) -> Derived[T]:
        return Derived()

    def __reduce__(self) -> tuple[type[Derived[T]], tuple[()]]:
        return Derived, ()
