"""Which graphs of earlier steps are still in memory, without keeping any."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor

from seqzoo.doctor.watching.marks import MARK, metadata_of, tensors_of

__all__ = ["Alive"]


class _Sentinel:
    """Lives as long as the node in whose metadata it is."""


class Alive:
    """Sentinels at tensors, with the time when each was made."""

    def __init__(self) -> None:
        self._sentinels: list[tuple[int, weakref.ref[Any]]] = []

    def add(self, tree: Any, when: int) -> None:
        """Follow the first tensor of a nest that has a graph."""
        node = next((each.grad_fn for each in tensors_of(tree) if _has_graph(each)), None)
        if node is not None:
            sentinel = _Sentinel()
            metadata_of(node)[f"{MARK}.alive"] = sentinel
            self._sentinels.append((when, weakref.ref(sentinel)))

    def counted(self, before: int) -> tuple[int, int]:
        """How many were made before a time, and how many of them are alive."""
        earlier = [reference for when, reference in self._sentinels if when < before]
        return len(earlier), sum(each() is not None for each in earlier)


def _has_graph(tensor: Tensor) -> bool:
    return tensor.grad_fn is not None
