"""Reads the likelihoods in the graph of a loss: their rows, their targets, what is below them.

Saved tensors are copied in part, because they are freed by the backward pass.
"""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor

from seqzoo.doctor.watching.marks import MARK, metadata_of
from seqzoo.doctor.watching.path import functions_below, signed
from seqzoo.doctor.watching.visit import Divergence, LossTerm

__all__ = [
    "columns_of",
    "fingerprints",
    "is_likelihood",
    "log_softmax_of",
    "picked_of",
    "term_of",
    "watch_gradient",
]

_COLUMNS = 6
# In bfloat16 the probabilities of a row sum to 1 within a few hundredths.
_NORMALISED = 0.1
_EVEN = 1e-3
_LOSS = re.compile(r"NllLoss(2D|Nd)?Backward\d*")
_SOFTMAX = re.compile(r"_?(Log)?SoftmaxBackward\d*")
_LOG_SOFTMAX = re.compile(r"_?LogSoftmaxBackward\d*")
_PICKED = re.compile(r"(Gather|Index)Backward\d*")
_VIEW = re.compile(r"(View|UnsafeView|ReshapeAlias)Backward\d*")
_SAME_ORDER = re.compile(r"(View|UnsafeView|ReshapeAlias|Clone|ToCopy|Alias|Mul|Div)Backward\d*")


def is_likelihood(name: str) -> bool:
    """Whether a node of that name is torch's negative log-likelihood."""
    return _LOSS.fullmatch(name) is not None


def columns_of(size: int) -> list[int]:
    """The few classes by which a row of log-probabilities is recognised."""
    return sorted({int(place * (size - 1) / (_COLUMNS - 1)) for place in range(_COLUMNS)})


def fingerprints(output: Tensor) -> Tensor:
    """(..., few): for every place of an output, some of its log-probabilities."""
    last = output.detach()
    wide = last if last.dtype == torch.float64 else last.float()
    chosen = wide[..., columns_of(last.shape[-1])]
    return (chosen - torch.logsumexp(wide, -1, keepdim=True)).cpu()


def term_of(node: Any) -> LossTerm:
    """One likelihood, with the softmax below it and the first marked output below that."""
    raw = node._saved_target
    ignore = signed(node._saved_ignore_index)
    ignored = raw == ignore
    targets = torch.where(ignored, torch.full_like(raw, -1), raw)
    term = LossTerm(
        name=node.name(),
        is_mean=int(node._saved_reduction) == 1,
        targets=targets.detach().flatten().cpu(),
        ignore_index=ignore,
        ignored=int(ignored.sum()),
    )
    scores = node._saved_self.detach()
    # A two-dimensional loss has its classes on axis 1: (B, V, ...) -> (B ..., V).
    if scores.ndim > 2:
        scores = scores.movedim(1, -1).flatten(0, -2)
    elif scores.ndim == 1:
        scores = scores[None]
    term.num_classes = scores.shape[-1]
    weight = node._saved_weight
    if weight is not None:
        term.without_weight = tuple((weight == 0).nonzero().flatten().tolist())
    term.rows = scores[:, columns_of(scores.shape[-1])].float().cpu()
    total = torch.logsumexp(scores.float(), -1)
    term.normalised = float((total.abs() < _NORMALISED).double().mean()) if len(total) else 1.0
    counted = ~ignored.flatten()
    if counted.any():
        right = scores.gather(-1, raw.flatten().clamp(min=0)[:, None])[:, 0][counted]
        term.nats = -float(right.float().mean())
    _look_below(node, term)
    return term


def log_softmax_of(node: Any) -> LossTerm:
    """What a log-softmax is made of, for a loss that torch does not know."""
    classes = node._saved_result.shape[signed(node._saved_dim)]
    return LossTerm(name=node.name(), num_classes=classes, functions=functions_below(node))


def picked_of(node: Any) -> LossTerm | None:
    """What a loss picks out of log-probabilities itself, with gather or by index; None for any
    other node.
    """
    if _PICKED.fullmatch(node.name()) is None:
        return None
    try:
        softmax = _below(node, _LOG_SOFTMAX)
        result = None if softmax is None else softmax._saved_result.detach()
        if result is None or signed(softmax._saved_dim) not in (-1, result.ndim - 1):
            return None
        right = _right(node, result)
    except (AttributeError, IndexError, RuntimeError):  # freed, or in a shape of another meaning
        return None
    if right is None or not right.numel():
        return None
    term = LossTerm(
        name=node.name(),
        is_mean=False,
        num_classes=result.shape[-1],
        nats=-float(right.float().mean()),
    )
    _look_below(node, term)
    return term


def _right(node: Any, result: Tensor) -> Tensor | None:
    """The log-probabilities that a node picks, one from each row of the classes."""
    if node.name().startswith("Gather"):
        index = node._saved_index
        if signed(node._saved_dim) not in (-1, index.ndim - 1) or index.shape[-1] != 1:
            return None
        rows = result.reshape(-1, result.shape[-1])
        return rows.gather(-1, index.reshape(-1, 1)) if index.numel() == len(rows) else None
    indices = [each for each in node._saved_indices if each is not None]
    if len(indices) != len(node._saved_indices) or any(
        each.dtype == torch.bool for each in indices
    ):
        return None
    whole = result if len(indices) == result.ndim else result.reshape(-1, result.shape[-1])
    return whole[tuple(indices)] if len(indices) == whole.ndim else None


def _below(node: Any, wanted: re.Pattern[str]) -> Any:
    """The first node of that name, if only changes of the shape are between."""
    current = node
    for _ in range(4):
        following = [each for each, _ in current.next_functions if each is not None]
        if len(following) != 1:
            return None
        current = following[0]
        if wanted.fullmatch(current.name()):
            return current
        if not _SAME_ORDER.fullmatch(current.name()):
            return None
    return None


def _look_below(node: Any, term: LossTerm) -> None:
    """The softmax of a loss, and the output that it comes from."""
    term.functions = functions_below(node)
    seen, waiting = {node}, [node]
    steps = 0
    shape: tuple[int, ...] = ()
    keeps_order, is_from_last = True, False
    while waiting and steps < 200:
        current = waiting.pop(0)
        steps += 1
        name = current.name()
        number = metadata_of(current).get(MARK)
        if _SOFTMAX.fullmatch(name):
            if term.dimension is None:
                shape = tuple(current._saved_result.shape)
                axis = signed(current._saved_dim)
                term.dimension = axis - len(shape) if axis >= 0 else axis
        elif term.dimension is not None and number is None:
            keeps_order = keeps_order and _SAME_ORDER.fullmatch(name) is not None
            given = _shape_before_view(current)
            is_from_last |= given != shape and given[-1:] == (shape[term.dimension],)
        if number is not None:
            term.forward = number
            # The classes were the last axis, and something follows them although nothing moved.
            behind = shape[term.dimension :][1:] if term.dimension is not None else ()
            term.is_viewed = keeps_order and is_from_last and math.prod(behind) > 1
            # The model's own last operation may be a softmax; what is below it is the model's.
            return
        for following, _ in current.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)


def _shape_before_view(node: Any) -> tuple[int, ...]:
    """What a view or a reshape was given; () of any other node."""
    if _VIEW.fullmatch(node.name()) is None:
        return ()
    try:
        return tuple(int(size) for size in node._saved_self_sym_sizes)
    except AttributeError:  # another torch
        return ()


def watch_gradient(term: LossTerm | Divergence, node: Any) -> None:
    """Note the gradient that arrives at a part of a loss, once."""

    def arrived(gradients: Any) -> None:
        try:
            if term.gradient is None and isinstance(gradients[0], Tensor):
                values = gradients[0].detach().float()
                term.gradient = float(values.mean())
                if values.numel() > 1:
                    used = values[values != 0]
                    spread = float(used.max() - used.min()) if used.numel() else 0.0
                    term.is_even = spread <= _EVEN * abs(float(used.mean())) if spread else True
        except Exception:  # never into the user's backward pass
            term.gradient = None

    node.register_prehook(arrived)
