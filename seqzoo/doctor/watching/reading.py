"""What a forward pass read and gave: the ids, a hash, and a few values of every row."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqzoo.doctor.watching.likelihoods import fingerprints
from seqzoo.doctor.watching.marks import tensors_of
from seqzoo.doctor.watching.visit import ForwardPass

__all__ = ["ids_of", "look_at_input", "look_at_output"]

_MOST_VALUES = 1 << 24
_FEW_CLASSES = 2
_ALIKE = 0.3


def look_at_input(
    seen: ForwardPass,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    before: ForwardPass | None,
) -> None:
    """Note the ids that the model reads: the first tensor that it is given.

    Rows of 0s and one 1 are read as ids; anything else only gives a hash.
    before: the pass before this one, whose state this one may have been given.
    """
    given: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
    first, seen.keyword = kwargs.get("input_ids"), "input_ids"
    if first is None:
        named = ((k, t) for k, each in given.items() for t in tensors_of(each))
        key, first = next(named, ("", None))
        seen.keyword = key if isinstance(key, str) else ""
    if not isinstance(first, Tensor):
        return
    seen.num_arguments = len(args)
    if before is not None and before.state_sums:
        others = [t for each in given.values() for t in tensors_of(each) if t is not first]
        sums = {_sum(t) for t in others if t.is_floating_point()} - {0.0}
        states, before.states = before.states, ()
        seen.has_state = bool(sums & set(before.state_sums)) or any(
            _is_like(t, state) for t in others for state in states
        )
    if first.numel() == 0 or first.numel() > _MOST_VALUES:
        return
    held = first.detach()
    seen.content = _hash(held)
    ids = ids_of(held)
    if ids is None:
        return
    seen.ids = ids.to("cpu", torch.int64, copy=True)
    seen.is_one_hot = held.is_floating_point()
    seen.original = held


def look_at_output(seen: ForwardPass, output: Any) -> None:
    """Note a few log-probabilities at every place of the first output with classes."""
    floating = [t for t in tensors_of(output) if t.is_floating_point()]
    classes = next((t for t in floating if t.ndim >= _FEW_CLASSES and t.numel() > 1), None)
    if classes is None:
        return
    seen.output_shape = tuple(classes.shape)
    states = tuple(t.detach() for t in floating if t is not classes)
    seen.state_sums = tuple(map(_sum, states))
    seen.states = tuple(t for t in states if 1 < t.ndim < 4 and t.numel() <= _MOST_VALUES)
    if classes.numel() <= _MOST_VALUES:
        seen.fingerprints = fingerprints(classes)


def _is_like(given: Tensor, state: Tensor) -> bool:
    """Whether a state is another one with some rows set back, with noise or with dropout.

    By the correlation of what differs from row to row: (B, H) or (L, B, H).
    """
    if given.shape != state.shape or given.shape[-2] < _FEW_CLASSES:
        return False
    one, other = (t.detach().float() - t.detach().float().mean(-2, True) for t in (given, state))
    size = torch.linalg.vector_norm(one) * torch.linalg.vector_norm(other)
    return bool(size > 0) and float((one * other).sum() / size) > _ALIKE


def _sum(tensor: Tensor) -> float:
    return float(tensor.detach().double().sum())


def ids_of(held: Tensor) -> Tensor | None:
    """Ids (B, T) or (B,), of ids or of one-hot rows; None for anything else."""
    if held.dtype in (torch.int64, torch.int32, torch.int16, torch.uint8) and held.ndim in (1, 2):
        return held
    if held.ndim in (2, 3) and held.shape[-1] > _FEW_CLASSES:
        is_plain = bool(((held == 0) | (held == 1)).all())
        if is_plain and bool((held.sum(-1) == 1).all()):
            return held.argmax(-1)
    return None


def _hash(held: Tensor) -> int:
    """The same for the same content."""
    flat = held.reshape(-1)
    values = flat.cpu().contiguous()
    if values.dtype == torch.bfloat16:
        values = values.float()
    return hash((tuple(held.shape), values.numpy().tobytes()))
