"""Reads the graph of a loss before it is used: what the loss was computed from.

Nothing of the graph is kept: a mark in the metadata of a node says which forward pass made it.
Saved tensors are copied in part, because they are freed by the backward pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from seqzoo.doctor.watching.visit import LossTerm

__all__ = [
    "MARK",
    "Graph",
    "columns_of",
    "fingerprints",
    "mark",
    "metadata_of",
    "read_graph",
    "watch_gradient",
]

MARK = "seqzoo"
_MOST_NODES = 20_000
_COLUMNS = 6
# In bfloat16 the probabilities of a row sum to 1 within a few hundredths.
_NORMALISED = 0.1
_LOSS = re.compile(r"NllLoss(2D|Nd)?Backward\d*")
_SOFTMAX = re.compile(r"_?(Log)?SoftmaxBackward\d*")


@dataclass
class Graph:
    """nodes: how many. forwards: the marks that were reached. terms: with the node of each."""

    nodes: int = 0
    is_whole: bool = True
    forwards: set[int] = field(default_factory=set)
    leaves: set[int] = field(default_factory=set)
    terms: list[tuple[LossTerm, Any]] = field(default_factory=list)


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


def columns_of(size: int) -> list[int]:
    """The few classes by which a row of log-probabilities is recognised."""
    return sorted({int(place * (size - 1) / (_COLUMNS - 1)) for place in range(_COLUMNS)})


def fingerprints(output: Tensor) -> Tensor:
    """(..., few): for every place of an output, some of its log-probabilities."""
    last = output.detach()
    wide = last if last.dtype == torch.float64 else last.float()
    chosen = wide[..., columns_of(last.shape[-1])]
    return (chosen - torch.logsumexp(wide, -1, keepdim=True)).cpu()


def read_graph(loss: Tensor) -> Graph:
    """Walk from the loss to the parameters, up to a bound."""
    found = Graph()
    if loss.grad_fn is None:
        return found
    seen, waiting = {loss.grad_fn}, [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        found.nodes += 1
        if found.nodes > _MOST_NODES:
            found.is_whole = False
            break
        number = metadata_of(node).get(MARK)
        if number is not None:
            found.forwards.add(number)
        name = node.name()
        if _LOSS.fullmatch(name):
            found.terms.append((_term(node), node))
        elif name.endswith("AccumulateGrad"):
            found.leaves.add(id(node.variable))  # type: ignore[attr-defined]
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
    return found


def _term(node: Any) -> LossTerm:
    """One likelihood, with the softmax below it and the first marked output below that."""
    raw = node._saved_target
    ignore = _signed(node._saved_ignore_index)
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
    term.rows = scores[:, columns_of(scores.shape[-1])].float().cpu()
    total = torch.logsumexp(scores.float(), -1)
    term.normalised = float((total.abs() < _NORMALISED).double().mean()) if len(total) else 1.0
    _look_below(node, term)
    return term


def _look_below(node: Any, term: LossTerm) -> None:
    """Softmaxes between the loss and the output that it comes from."""
    seen, waiting = {node}, [node]
    steps = 0
    while waiting and steps < 200:
        current = waiting.pop(0)
        steps += 1
        name = current.name()
        if _SOFTMAX.fullmatch(name):
            term.softmaxes += 1
            if term.dimension is None:
                axis, size = _signed(current._saved_dim), current._saved_result.ndim
                term.dimension = axis - size if axis >= 0 else axis
        number = metadata_of(current).get(MARK)
        if number is not None:
            term.forward = number
            # The model's own last operation may be a softmax; what is below it is the model's.
            return
        for following, _ in current.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
    term.softmaxes = 0  # no output of the model was found, so these may be of its own layers


def _signed(value: int) -> int:
    """Saved integers are given as unsigned ones of 64 bits."""
    return value - (1 << 64) if value >= 1 << 63 else value


def watch_gradient(term: LossTerm, node: Any) -> None:
    """Note the gradient that arrives at a likelihood, once."""

    def arrived(gradients: Any) -> None:
        try:
            if term.gradient is None and isinstance(gradients[0], Tensor):
                term.gradient = float(gradients[0].detach().float().mean())
        except Exception:  # never into the user's backward pass
            term.gradient = None

    node.register_prehook(arrived)
