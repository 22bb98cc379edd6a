"""Joins what a pass read with the targets of the loss that was computed from its output.

The rows of a loss are matched by value with the places of an output, in the orders that people
use: rows first, time first, only the last place, without the first or the last place; or a part of
the rows or of the places, where a loss is the sum of several.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqzoo.doctor.watching.visit import ForwardPass, LossTerm, Visit

__all__ = ["Pair", "pairs_of", "targets_at"]

_CLOSE = 0.05
"""In nats; in bfloat16 log-probabilities differ by some hundredths."""

_MOST_BEGINS = 8
_SEVERAL = 4


@dataclass(frozen=True)
class Pair:
    """A pass and its loss. targets: for each place of the output (first, second), -1 for none.

    order: "rows", "last", "all but the first", "all but the last", "last in time", "first in time",
    "parts", or "" if nothing fits.
    """

    seen: ForwardPass
    term: LossTerm
    targets: Tensor | None
    order: str


def pairs_of(visit: Visit) -> Iterator[Pair]:
    """Every pass of training with the likelihoods that were computed from its output, in the order
    of the backward passes, and of the passes that each of them used.
    """
    passes = {each.when: each for each in visit.forwards}
    for backward in visit.backwards:
        by_pass: dict[int, list[LossTerm]] = {}
        for term in backward.terms:
            if term.forward is not None:
                by_pass.setdefault(term.forward, []).append(term)
        for number, terms in sorted(by_pass.items()):
            if (seen := passes.get(number)) is not None:
                yield _pair(seen, terms)


def last_alone(visit: Visit) -> int:
    """How many passes of one token a backward pass reaches, if only the last one has a loss.

    0 if others have one too, or if a pass reads more than a token of each row.
    """
    passes = {each.when: each for each in visit.forwards}
    several = [each for each in visit.backwards if len(each.forwards) >= _SEVERAL and each.terms]
    alone = [
        each
        for each in several
        if {term.forward for term in each.terms} == {each.forwards[-1]}
        and all(_is_one_token(passes.get(number)) for number in each.forwards)
    ]
    if len(alone) < _SEVERAL or len(alone) < 0.9 * len(several):
        return 0
    return len(alone[0].forwards)


def _is_one_token(seen: ForwardPass | None) -> bool:
    ids = None if seen is None else seen.ids
    return ids is not None and (ids.ndim == 1 or 1 in ids.shape)


def _pair(seen: ForwardPass, terms: Sequence[LossTerm]) -> Pair:
    """Several likelihoods of one output are parts of one loss; of two for one place the one with
    the larger weight counts.
    """
    terms = sorted(terms, key=lambda term: -abs(term.gradient or 0.0))
    first = Pair(seen, terms[0], *targets_at(seen, terms[0]))
    if len(terms) == 1 or first.order == "rows":
        return first
    prints = seen.fingerprints
    if prints is None or prints.ndim != 3:
        return first
    whole = torch.full(prints.shape[:2], -1, dtype=torch.int64)
    has_one = torch.zeros(prints.shape[:2], dtype=torch.bool)
    for term in terms:
        for place, targets in _part(prints, term):
            free = ~has_one[place]
            whole[place] = torch.where(free, targets, whole[place])
            has_one[place] = True
    if not has_one.any():
        return first
    return Pair(seen, terms[0], whole, _order_of(has_one))


def _order_of(has_one: Tensor) -> str:
    """Which places have a target."""
    inside = has_one.all(0)
    if bool(inside.all()):
        return "rows"
    if len(inside) > 1 and torch.equal(has_one, inside[None].expand(has_one.shape)):
        if bool(inside[:-1].all()):
            return "all but the last"
        if bool(inside[1:].all()):
            return "all but the first"
        if not inside[:-1].any():
            return "last"
    return "parts"


def _part(prints: Tensor, term: LossTerm) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
    """The stretch of rows, or of places, that the rows of one likelihood are; none or one."""
    rows, targets = term.rows, term.targets
    if rows is None or targets is None or not len(rows) or rows.shape[1] != prints.shape[2]:
        return
    first, second = prints.shape[:2]
    places = []
    if len(rows) % first == 0:
        width = len(rows) // first
        places = [(slice(None), slice(at, at + width)) for at in _begins(prints[0], rows[0])]
    if len(rows) % second == 0:
        width = len(rows) // second
        places += [(slice(at, at + width), slice(None)) for at in _begins(prints[:, 0], rows[0])]
    for place in places:
        chosen = prints[place]
        if _equal(chosen.flatten(0, 1), rows):
            yield place, targets.reshape(chosen.shape[:2])
            return
        swapped = chosen.transpose(0, 1)
        if _equal(swapped.flatten(0, 1), rows):
            yield place, targets.reshape(swapped.shape[:2]).T
            return


def _begins(prints: Tensor, row: Tensor) -> list[int]:
    """Where along an edge of the output the first row of a likelihood may be."""
    found: list[int] = ((prints - row).abs() < _CLOSE).all(-1).nonzero()[:_MOST_BEGINS, 0].tolist()
    return found


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
        ("first in time", (slice(0, 1), slice(None))),
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
