"""Joins what a pass read with the targets of the loss that was computed from its output.

The rows of a loss are matched by value with the places of an output, in the orders that people
use: rows first, time first, only the last place, without the first or the last place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from seqzoo.doctor.watching.visit import ForwardPass, LossTerm, Visit

__all__ = ["Pair", "pairs_of", "targets_at"]

_CLOSE = 0.05
"""In nats; in bfloat16 log-probabilities differ by some hundredths."""


@dataclass(frozen=True)
class Pair:
    """A pass and its loss. targets: for each place of the output (first, second), -1 for none.

    order: "rows", "last", "all but the first", "all but the last", or "" if nothing fits.
    """

    seen: ForwardPass
    term: LossTerm
    targets: Tensor | None
    order: str


def pairs_of(visit: Visit) -> Iterator[Pair]:
    """Every pass of training with the likelihood that was computed from its output."""
    passes = {each.when: each for each in visit.forwards}
    for backward in visit.backwards:
        for term in backward.terms:
            if term.forward is not None and (seen := passes.get(term.forward)) is not None:
                yield Pair(seen, term, *targets_at(seen, term))


def targets_at(seen: ForwardPass, term: LossTerm) -> tuple[Tensor | None, str]:
    """The targets, in the shape of the output without its classes, and the order of the rows."""
    prints, rows, targets = seen.fingerprints, term.rows, term.targets
    if prints is None or rows is None or targets is None or prints.ndim not in (2, 3):
        return None, ""
    if prints.ndim == 2:
        whole = targets if _equal(prints, rows) else None
        return whole, "" if whole is None else "rows"
    first, second = prints.shape[:2]
    for order, part in (
        ("rows", (slice(None), slice(None))),
        ("last", (slice(None), slice(second - 1, None))),
        ("all but the last", (slice(None), slice(0, second - 1))),
        ("all but the first", (slice(None), slice(1, None))),
        ("last in time", (slice(first - 1, None), slice(None))),
    ):
        chosen = prints[part]
        filled = torch.full((first, second), -1, dtype=torch.int64)
        if _equal(chosen.flatten(0, 1), rows):
            filled[part] = targets.reshape(chosen.shape[:2])
            return filled, order
        swapped = chosen.transpose(0, 1)
        if _equal(swapped.flatten(0, 1), rows):
            filled[part] = targets.reshape(swapped.shape[:2]).T
            return filled, order
    return None, ""


def _equal(prints: Tensor, rows: Tensor) -> bool:
    if prints.shape != rows.shape or not len(rows):
        return False
    return bool(((prints - rows).abs() < _CLOSE).double().mean() > 0.99)
