"""A batch of a user's own code, of any arrays, as token ids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqzoo.doctor.subjects.code_pairs import pair_of
from seqzoo.plugin.contracts import Batch

__all__ = ["OneTargetPerRow", "next_targets", "read_batch", "read_rows", "with_every_target"]

_EXPECTED = "expected ids (B, T), or one-hot (B, T, V), whose last axis is 0s and one 1"


class OneTargetPerRow(TypeError):  # noqa: N818 (it says what the batches are)
    """Inputs (B, T) with targets (B,)."""


def read_batch(item: Any, *, restarts: bool, known: dict[str, bool]) -> Batch:
    """A batch copied as ids (B, T); (B,) and one-hot (B, V) mean T = 1. `pair_of` says its forms.

    Whether arrays are one-hot is decided by content, for any dtype, and from the first batch only:
    a thread may be filling a later one at this moment. known: remembers it; {} at first.
    Negative targets are padding.
    Raises TypeError with a sentence for anything else.
    """
    first, second = pair_of(item)
    given = _array(first, "inputs"), _array(second, "targets")
    inputs = _ids(given[0], given[1], "inputs", known)
    if given[1].is_floating_point() and _is_a_column(given[1], inputs) and _has_fractions(given[1]):
        raise OneTargetPerRow(_one_target(inputs, given[1]))
    targets = _ids(given[1], given[0], "targets", known)
    if inputs.shape == targets.shape:
        return Batch(inputs=inputs, targets=targets, restarts=torch.full((len(inputs),), restarts))
    if len(inputs) == targets.numel():
        raise OneTargetPerRow(_one_target(inputs, given[1]))
    raise TypeError(
        f"inputs {tuple(inputs.shape)} and targets {tuple(targets.shape)} differ in shape; "
        f"expected a target for each input, both (batch, time)"
    )


def next_targets(batch: Batch) -> Batch:
    """Targets that a loss shifts by itself, as those of the next token; the last is padding."""
    unknown = torch.full_like(batch.targets[:, :1], -1)
    return replace(batch, targets=torch.cat([batch.targets[:, 1:], unknown], 1))


def read_rows(item: Any, known: dict[str, bool]) -> tuple[Tensor, Tensor]:
    """Inputs (B, T) and a target for each row, (B,): integers, or float64 if they are numbers.

    The targets of a batch that `read_batch` refuses with OneTargetPerRow.
    """
    first, second = (
        _array(part, what) for part, what in zip(pair_of(item), ("inputs", "targets"), strict=True)
    )
    inputs = _ids(first, second, "inputs", known)
    if second.is_floating_point() and _is_a_column(second, inputs):
        return inputs, second.flatten()
    return inputs, _ids(second, first, "targets", known).flatten()


def _one_target(inputs: Tensor, targets: Tensor) -> str:
    shapes = f"inputs {tuple(inputs.shape)} with targets {tuple(targets.shape)}"
    return f"{shapes}: one target for each row"


def _is_a_column(targets: Tensor, inputs: Tensor) -> bool:
    return inputs.shape[1] > 1 and tuple(targets.shape) in ((len(inputs),), (len(inputs), 1))


def _has_fractions(given: Tensor) -> bool:
    return not bool((given == given.round()).all())


def with_every_target(batch: Batch) -> Batch:
    """Padding among the targets replaced by inputs of the row, for models that look targets up."""
    known = torch.where(batch.targets < 0, batch.inputs.roll(-1, 1), batch.targets)
    return replace(batch, targets=known)


def _array(given: Any, what: str) -> Tensor:
    """A copy as int64, or as float64 if it is floating point."""
    if isinstance(given, Tensor):
        given = given.detach().cpu()
        dtype = torch.float64 if given.is_floating_point() else torch.int64
        copied: Tensor = given.to(dtype, copy=True)
        return copied
    try:
        array = np.array(given)
    except ValueError as error:
        raise TypeError(f"the {what} are not an array: {error}; {_EXPECTED}") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"the {what} are an array of {array.dtype}; {_EXPECTED}")
    return torch.from_numpy(array.astype(np.float64 if array.dtype.kind == "f" else np.int64))


def _ids(given: Tensor, other: Tensor, what: str, known: dict[str, bool]) -> Tensor:
    """(B, T). other: the pair's other array; rows of ids may look one-hot, but not both arrays."""
    shape = tuple(given.shape)
    if given.ndim == 3 and shape[-1] == 1:
        given = given.squeeze(-1)
    elif given.ndim in (2, 3):
        is_one_hot = _is_one_hot(given) and (given.ndim == 3 or not _is_of_ids(given, other))
        if known.setdefault(what, is_one_hot):
            ids = given.argmax(-1)
            return ids if given.ndim == 3 else ids[:, None]
    if given.ndim not in (1, 2):
        raise TypeError(f"the {what} have the shape {shape} and are not one-hot; {_EXPECTED}")
    if given.is_floating_point() and _has_fractions(given):
        raise TypeError(f"the {what} {shape} are fractions; {_EXPECTED}")
    given = given.to(torch.int64)
    return given[:, None] if given.ndim == 1 else given


def _is_one_hot(given: Tensor) -> bool:
    """Whether every row along the last axis is 0s and one 1."""
    # A row of two ids, each 0 or 1, has exactly one 1 half of the time.
    if given.shape[-1] < (2 if given.ndim == 3 or given.is_floating_point() else 3):
        return False
    return bool(((given == 0) | (given == 1)).all() and (given.sum(-1) == 1).all())


def _is_of_ids(given: Tensor, other: Tensor) -> bool:
    """Whether the other array shows that (B, T) are ids: it has one id for each of them."""
    if other.ndim == 2:
        return other.shape == given.shape and not _is_one_hot(other)
    return other.ndim == 3 and other.shape[:2] == given.shape
