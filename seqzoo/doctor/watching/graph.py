"""Reads the graph of a loss before it is used: what the loss was computed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from seqzoo.doctor.watching.divergences import divergence_of
from seqzoo.doctor.watching.likelihoods import is_likelihood, log_softmax_of, picked_of, term_of
from seqzoo.doctor.watching.marks import MARK, metadata_of
from seqzoo.doctor.watching.path import LOG_SOFTMAX, operation_of
from seqzoo.doctor.watching.visit import Divergence, LossTerm

__all__ = ["Graph", "read_graph"]

_MOST_NODES = 20_000
_MOST_PICKED = 64


@dataclass
class Graph:
    """nodes: how many. forwards: the marks that were reached. terms: with the node of each.

    picked: log-probabilities of the model's output that a loss picks itself.
    log_softmaxes: of the model's output, of which a loss of the user's own may be made.
    divergences: with the node whose values they sum.
    """

    nodes: int = 0
    is_whole: bool = True
    forwards: set[int] = field(default_factory=set)
    leaves: set[int] = field(default_factory=set)
    terms: list[tuple[LossTerm, Any]] = field(default_factory=list)
    picked: list[tuple[LossTerm, Any]] = field(default_factory=list)
    log_softmaxes: list[LossTerm] = field(default_factory=list)
    divergences: list[tuple[Divergence, Any]] = field(default_factory=list)


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
        if is_likelihood(name):
            found.terms.append((term_of(node), node))
        elif name.endswith("AccumulateGrad"):
            found.leaves.add(id(node.variable))  # type: ignore[attr-defined]
        elif operation_of(node) == LOG_SOFTMAX and len(found.log_softmaxes) < _MOST_PICKED:
            found.log_softmaxes.append(log_softmax_of(node))
        elif len(found.picked) < _MOST_PICKED and (picked := picked_of(node)) is not None:
            found.picked.append((picked, node))
        elif (divergence := divergence_of(node)) is not None:
            found.divergences.append(divergence)
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
    return found
