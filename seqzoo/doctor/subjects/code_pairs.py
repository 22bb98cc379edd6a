"""The inputs and the targets of a batch, in the forms that training loops take them from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["PADDING", "has_inputs_as_labels", "pair_of"]

PADDING = -100

_INPUTS = ("input_ids", "inputs", "input", "x", "tokens", "text", "source", "src", "ids")
_TARGETS = ("labels", "targets", "target", "label", "y", "tgt", "next", "label_ids", "target_ids")
_MASK = "attention_mask"


def pair_of(item: Any) -> tuple[Any, Any]:
    """The inputs and the targets, padding negative. A batch is one of

    (inputs, targets), also as lists of rows or of columns; (inputs, targets, lengths or a mask
    (B, T)); a tensor (B, T + 1) of ids, also alone in a tuple: the target of a token is the next
    one; a mapping or an object with input_ids and labels, or other usual names. Labels that equal
    the inputs, or are missing, are those of a model that shifts inside.
    Raises TypeError with a sentence for anything else.
    """
    if isinstance(item, Mapping) or _part(item, "input_ids") is not None:
        return _named(item)
    is_array = isinstance(item, (Tensor, np.ndarray))
    if is_array and item.ndim == 2:
        return _shifted(item)
    try:
        parts = list(item)
    except TypeError:
        parts = []
    if len(parts) == 1 and getattr(parts[0], "ndim", 0) == 2:
        return _shifted(parts[0])
    if len(parts) == 2 and _are_lists(parts):
        return _oriented(stacked(parts[0]), stacked(parts[1]))
    if len(parts) == 2:
        return parts[0], parts[1]
    if len(parts) == 3 and not is_array and (masked := _without_padding(*parts)) is not None:
        return masked
    raise TypeError(
        f"a batch is {_described(item, parts)}; a batch is a pair (inputs, targets) of arrays: "
        f"give ((b[0], b[1]) for b in batches)"
    )


def stacked(part: Any, axis: int = 0) -> Any:
    """A list of tensors of one shape as one, anything else as it is."""
    is_list = isinstance(part, (list, tuple)) and all(isinstance(each, Tensor) for each in part)
    if is_list and len({each.shape for each in part}) == 1:
        return torch.stack(list(part), axis)
    return part


def _are_lists(parts: list[Any]) -> bool:
    """Whether both are lists of tensors (N,), rows or, of a DataLoader's collation, columns."""
    both = [stacked(part) for part in parts]
    is_list = [isinstance(part, (list, tuple)) for part in parts]
    return all(is_list) and all(isinstance(part, Tensor) and part.ndim == 2 for part in both)


def _oriented(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Time on axis 1: where a target is the next input more often."""
    if inputs.shape != targets.shape or 1 in inputs.shape:
        return inputs, targets
    in_rows = float((targets[:, :-1] == inputs[:, 1:]).double().mean())
    in_columns = float((targets[:-1] == inputs[1:]).double().mean())
    return (inputs, targets) if in_rows >= in_columns else (inputs.T, targets.T)


def has_inputs_as_labels(item: Any) -> bool:
    """Whether a batch is a mapping or an object whose labels are its inputs, not yet shifted."""
    if not isinstance(item, Mapping) and _part(item, "input_ids") is None:
        return False
    given = next((part for name in _INPUTS if (part := _part(item, name)) is not None), None)
    if given is None:
        return False
    return bool(np.shape(stacked(given, 1))[-1] == np.shape(pair_of(item)[0])[-1] + 1)


def _named(item: Any) -> tuple[Any, Any]:
    inputs, labels = (
        next((part for name in names if (part := _part(item, name)) is not None), None)
        for names in (_INPUTS, _TARGETS)
    )
    if inputs is None:
        keys = list(item)
        shown = ", ".join(repr(key) for key in keys[:4])
        first, second = map(repr, keys) if len(keys) == 2 else ("inputs", "targets")
        raise TypeError(
            f"a batch is a mapping with the keys {shown}; expected a pair (inputs, targets): give "
            f"((b[{first}], b[{second}]) for b in batches){'' if len(keys) == 2 else ', by name'}"
        )
    # The default collation of a DataLoader makes a list of a tensor (B,) for each token.
    inputs = torch.as_tensor(stacked(inputs, 1))
    mask = _part(item, _MASK)
    mask = None if mask is None else stacked(mask, 1)
    labels = inputs if labels is None else torch.as_tensor(stacked(labels, 1))
    if mask is not None and labels.shape == inputs.shape:
        labels = labels.masked_fill(torch.as_tensor(mask) == 0, PADDING)
    if labels.shape == inputs.shape and bool(((labels == inputs) | (labels < 0)).all()):
        return inputs[:, :-1], labels[:, 1:]
    return inputs, labels


def _shifted(ids: Any) -> tuple[Any, Any]:
    if ids.shape[1] < 2:
        raise TypeError(
            f"a batch is one array {tuple(ids.shape)}; expected T + 1 tokens in each row, of which "
            f"the first T are inputs and the last T targets"
        )
    return ids[:, :-1], ids[:, 1:]


def _without_padding(inputs: Any, targets: Any, third: Any) -> tuple[Any, Any] | None:
    """The pair of (inputs, targets, lengths), or of a mask (B, T); None if it is neither."""
    try:
        inputs, targets, third = (torch.as_tensor(part) for part in (inputs, targets, third))
    except (TypeError, ValueError, RuntimeError):
        return None
    if targets.ndim == 1 and third.shape == inputs.shape:  # (inputs, lengths, targets)
        targets, third = third, targets
    if targets.ndim != 2 or inputs.shape[:2] != targets.shape or third.is_floating_point():
        return None
    length = targets.shape[1]
    if third.shape == targets.shape and bool(((third == 0) | (third == 1)).all()):
        counted = third.bool()
    elif third.shape == (len(targets),) and bool(((third >= 1) & (third <= length)).all()):
        counted = torch.arange(length) < third.cpu()[:, None]
    else:
        return None
    return inputs, targets.masked_fill(~counted.to(targets.device), PADDING)


def _part(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)


def _described(item: Any, parts: list[Any]) -> str:
    if not parts:
        return f"{type(item).__name__}"
    shapes = [
        str(tuple(part.shape)) if hasattr(part, "shape") else type(part).__name__
        for part in parts[:4]
    ]
    return f"a {type(item).__name__} of {len(parts)} ({', '.join(shapes)})"
