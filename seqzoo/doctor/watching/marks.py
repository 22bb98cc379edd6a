"""Says which forward pass made a tensor: a mark in the metadata of its node.

Nothing of the graph is kept; a mark lives as long as its node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

__all__ = ["MARK", "mark", "metadata_of", "tensors_of"]

MARK = "seqzoo"


def metadata_of(node: Any) -> dict[str, Any]:
    """What torch lets anybody attach to a node; it lives as long as the node."""
    metadata: dict[str, Any] = node.metadata
    return metadata


def mark(output: Any, number: int) -> None:
    """Write the number of a forward pass at every tensor that it gave."""
    for tensor in tensors_of(output):
        if tensor.grad_fn is not None:
            metadata_of(tensor.grad_fn).setdefault(MARK, number)


def tensors_of(tree: Any) -> Iterator[Tensor]:
    """All tensors of a nest of tuples, lists, mappings and objects like them."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (tuple, list)):
        for each in tree:
            yield from tensors_of(each)
    elif hasattr(tree, "items") and callable(tree.items):
        for _, each in tree.items():
            yield from tensors_of(each)
