"""What the model's output passes through on its way to the softmax of a loss.

The way is followed only as long as it is one way, of operations that are known: a layer between
the model and the loss, or a sum of two outputs, ends it, and what is below is not judged.
"""

from __future__ import annotations

import math
import re
from typing import Any

from torch import Tensor

from seqzoo.doctor.watching.marks import MARK, metadata_of
from seqzoo.doctor.watching.visit import Function

__all__ = ["LOG_SOFTMAX", "SHAPE", "UNIT_LENGTH", "functions_below", "operation_of", "signed"]

UNIT_LENGTH = "a normalisation to length 1"

_MOST_NODES = 200
_INFINITE = math.inf

LOG_SOFTMAX, _SOFTMAX, _LOG = ("LogSoftmax", "Softmax", "Log")
SHAPE = frozenset(
    (
        *("View", "UnsafeView", "ReshapeAlias", "AsStrided", "Squeeze", "Unsqueeze", "Expand"),
        *("Transpose", "T", "Permute", "Clone", "ToCopy", "Alias", "Select", "Slice", "Narrow"),
        *("Index", "IndexSelect", "Gather", "MaskedSelect", "Unbind", "Split", "SplitWithSizes"),
        *("UnsafeSplit", "UnsafeSplitWithSizes"),
    )
)
"""Operations that move or choose values, and change none."""

_SHIFT = frozenset(
    ("Add", "Sub", "MaskedFill", "Where", "NanToNum", "NativeDropout", "ConstantPadNd")
)
_MANY = frozenset(("Cat", "Stack"))
_NORM = frozenset(("LinalgVectorNorm", "Norm", "LinalgNorm"))
_BOUNDS = {
    "Sigmoid": ("sigmoid", 0.0, 1.0),
    "Hardsigmoid": ("hardsigmoid", 0.0, 1.0),
    "Tanh": ("tanh", -1.0, 1.0),
    "Relu": ("relu", 0.0, _INFINITE),
    "Softplus": ("softplus", 0.0, _INFINITE),
    "Abs": ("abs", 0.0, _INFINITE),
    "Exp": ("exp", 0.0, _INFINITE),
    "Elu": ("elu", -1.0, _INFINITE),
    "Gelu": ("gelu", -0.17, _INFINITE),
    "Silu": ("silu", -0.28, _INFINITE),
}
_NAME = re.compile(r"_?(\w+?)Backward\d*")


def signed(value: int) -> int:
    """Saved integers are given as unsigned ones of 64 bits."""
    return value - (1 << 64) if value >= 1 << 63 else value


def operation_of(node: Any) -> str:
    """The name of what a node is the backward pass of: "Relu" of "ReluBackward0"."""
    found = _NAME.fullmatch(node.name())
    return "" if found is None else found[1]


def functions_below(node: Any) -> tuple[Function, ...]:
    """What the logits of a likelihood, or of a log-softmax, pass through between the model and the
    softmax, the last function first. Nothing if no output of the model is found below it.
    """
    reaching = _reaching(node)
    found: list[Function] = []
    own: Any = node if operation_of(node) == LOG_SOFTMAX else None
    is_log, scale, current = False, 1.0, node
    while MARK not in metadata_of(current):
        following = _follow(current, reaching)
        if following is None:
            break
        current = following
        name = operation_of(current)
        if own is None:
            if name == LOG_SOFTMAX or (is_log and name == _SOFTMAX):
                own, scale = current, 1.0
            elif name == _LOG:
                is_log = True
            elif name not in SHAPE | _SHIFT and not (is_log and name.startswith("Clamp")):
                break
            continue
        if MARK in metadata_of(current) and name != _SOFTMAX:
            break  # the last operation of the model is for the checks of the model
        if name == LOG_SOFTMAX:
            found += _over_another_axis(current, own)
        elif (function := _function(current, name, reaching)) is not None:
            found.append(Function(*function, scale))
        elif name in ("Mul", "Div", "Neg"):
            scale *= _factor(current, name, reaching)
        elif name not in SHAPE | _SHIFT | _MANY:
            break
    return tuple(found)


def _follow(node: Any, reaching: set[Any]) -> Any:
    """The next node on the one way to the model's output; None if there are two ways.

    A division by a norm of the same values, and parts that are put together, count as one way.
    """
    ways = _ways(node, reaching)
    if len(ways) == 1 or (ways and operation_of(node) in _MANY):
        return ways[0][1]
    return ways[0][1] if ways and _is_normalisation(node, reaching) else None


def _ways(node: Any, reaching: set[Any]) -> list[tuple[int, Any]]:
    following = enumerate(each for each, _ in node.next_functions)
    return [(place, each) for place, each in following if each in reaching]


def _reaching(node: Any) -> set[Any]:
    """The nodes below a node from which an output of the model is reached."""
    above: dict[Any, list[Any]] = {node: []}
    waiting, marked = [node], []
    while waiting and len(above) < _MOST_NODES:
        current = waiting.pop(0)
        if MARK in metadata_of(current):
            marked.append(current)
            continue
        for each, _ in current.next_functions:
            if each is None:
                continue
            if each not in above:
                waiting.append(each)
            above.setdefault(each, []).append(current)
    found: set[Any] = set()
    while marked:
        current = marked.pop()
        if current not in found:
            found.add(current)
            marked += above[current]
    return found


def _function(node: Any, name: str, reaching: set[Any]) -> tuple[str, float, float] | None:
    """The name and the bounds of an operation that bends the logits; None of any other."""
    if name == _SOFTMAX:
        return "softmax", 0.0, 1.0
    if name == "Div" and _is_normalisation(node, reaching):
        return UNIT_LENGTH, -1.0, 1.0
    if name == "Hardtanh":
        bounds = float(node._saved_min_val), float(node._saved_max_val)
        return "relu6" if bounds == (0.0, 6.0) else "hardtanh", *bounds
    if name in ("Clamp", "ClampMin"):
        low, high = getattr(node, "_saved_min", None), getattr(node, "_saved_max", None)
        if isinstance(low, Tensor) or isinstance(high, Tensor):
            return None
        return (
            "clamp",
            -_INFINITE if low is None else float(low),
            _INFINITE if high is None else float(high),
        )
    return _BOUNDS.get(name)


def _is_normalisation(node: Any, reaching: set[Any]) -> bool:
    """Whether a node divides values by their own norm."""
    ways = _ways(node, reaching)
    if operation_of(node) != "Div" or [place for place, _ in ways] != [0, 1]:
        return False
    current = ways[1][1]
    for _ in range(4):
        if operation_of(current) in _NORM:
            return True
        below = _ways(current, reaching)
        if len(below) != 1:
            return False
        current = below[0][1]
    return False


def _over_another_axis(node: Any, own: Any) -> list[Function]:
    """A log-softmax that is not over the classes, which those of `own` are; else it changes
    nothing.
    """
    shape, classes = node._saved_result.shape, own._saved_result
    if shape[signed(node._saved_dim)] == classes.shape[signed(own._saved_dim)]:
        return []
    return [Function("a log-softmax over another axis than the classes", -_INFINITE, 0.0)]


def _factor(node: Any, name: str, reaching: set[Any]) -> float:
    """What a node multiplies the model's output with; infinite if it is not known, or learned."""
    if name == "Neg":
        return -1.0
    ways = _ways(node, reaching)
    learned = sum(each is not None for each, _ in node.next_functions) > 1
    if learned or len(ways) != 1 or (name == "Div" and ways[0][0] != 0):
        return _INFINITE
    other = node._saved_other if ways[0][0] == 0 else node._saved_self
    if not isinstance(other, Tensor) or not other.numel():
        return _INFINITE
    values = other.detach().float()
    if name == "Div":
        values = 1 / values[values != 0]
    if not values.numel():
        return _INFINITE
    return float(values.flatten()[values.abs().argmax()])
