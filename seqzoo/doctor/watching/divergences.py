"""Finds a Kullback-Leibler divergence in the graph of a loss, and what it reads.

torch makes it of other operations: the sum or the mean of target * log(target) - target * input,
or of target * (log(target) - input) where the targets are given as logarithms.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seqzoo.doctor.watching.marks import MARK, metadata_of
from seqzoo.doctor.watching.path import LOG_SOFTMAX, SHAPE, operation_of
from seqzoo.doctor.watching.visit import Divergence

__all__ = ["divergence_of"]

_MOST_NODES = 30
_LAYERS = frozenset(("Addmm", "Mm", "Bmm"))
_READS = {
    LOG_SOFTMAX: "log-probabilities",
    "Log": "log-probabilities",
    "Softmax": "probabilities",
    "Exp": "probabilities",
    **dict.fromkeys(_LAYERS, "logits"),
}
_EQUAL = 1e-2


def divergence_of(node: Any) -> tuple[Divergence, Any] | None:
    """The divergence that a node sums, and the node of its values; None for any other node."""
    name = operation_of(node)
    if name not in ("Sum", "Mean"):
        return None
    values = node.next_functions[0][0]
    if values is None:
        return None
    try:
        found = _of_logarithms(values) or _of_probabilities(values)
    except (AttributeError, RuntimeError):  # freed, or saved in another way
        return None
    if found is None:
        return None
    targets, below = found
    reads = _reads(below)
    if not _are_probabilities(targets) or not reads:
        return None
    num_classes = targets.shape[-1]
    return (
        Divergence(
            reads=reads,
            is_mean=name == "Mean",
            num_rows=targets.numel() // num_classes,
            num_classes=num_classes,
        ),
        values,
    )


def _of_probabilities(node: Any) -> tuple[Tensor, Any] | None:
    """target * log(target) - target * input: the targets, and the node of the input."""
    if operation_of(node) != "Sub" or node.next_functions[0][0] is not None:
        return None
    product = node.next_functions[1][0]
    return None if product is None else _product(product)


def _of_logarithms(node: Any) -> tuple[Tensor, Any] | None:
    """target * (log(target) - input)."""
    found = _product(node)
    if found is None:
        return None
    targets, below = found
    if operation_of(below) != "Sub" or below.next_functions[0][0] is not None:
        return None
    return targets, below.next_functions[1][0]


def _product(node: Any) -> tuple[Tensor, Any] | None:
    """What needs no gradient in a product, and the node of what does."""
    if operation_of(node) != "Mul":
        return None
    left, right = (each for each, _ in node.next_functions)
    if (left is None) == (right is None):
        return None
    held = node._saved_self if left is None else node._saved_other
    return None if held is None else (held.detach(), right if left is None else left)


def _are_probabilities(targets: Tensor) -> bool:
    """Whether they sum to 1 over the last axis."""
    if targets.ndim < 2 or targets.shape[-1] < 2 or not targets.numel():
        return False
    if bool((targets < 0).any()):
        return False
    sums = targets.float().sum(-1)
    return float(((sums - 1).abs() < _EQUAL).double().mean()) > 0.9


def _reads(node: Any) -> str:
    """What a divergence takes for log-probabilities, if it comes from an output of the model."""
    found, current = "", node
    for _ in range(_MOST_NODES):
        if current is None:
            return ""
        name = operation_of(current)
        found = found or _READS.get(name, "")
        is_marked = MARK in metadata_of(current)
        if is_marked and found:
            return found
        if is_marked:
            return _made_by_a_layer(current)
        if not found and name not in SHAPE:
            return ""
        current = next((each for each, _ in current.next_functions if each is not None), None)
    return ""


def _made_by_a_layer(node: Any) -> str:
    """The model's own last operation: only values of a linear layer are surely no logarithms."""
    for _ in range(4):
        if operation_of(node) in _READS:
            return _READS[operation_of(node)]
        if operation_of(node) not in SHAPE:
            return ""
        node = next((each for each, _ in node.next_functions if each is not None), None)
        if node is None:
            return ""
    return ""
