"""Which places of a batch the loss teaches, and whether with their own targets."""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.checks.loop._form import WHY
from seqzoo.doctor.watching.pairs import Pair, last_alone, pairs_of
from seqzoo.doctor.watching.visit import Visit
from seqzoo.plugin.check import Outcome

__all__ = ["lessons"]

_LEAST = 3
_OFTEN = 0.05


def lessons(visit: Visit) -> Outcome | None:
    """Every place has a target, its own, and every frequent symbol counts."""
    pairs = [each for each in pairs_of(visit) if each.seen.ids is not None]
    known = [each for each in pairs if each.targets is not None]
    if len(known) < _LEAST:
        return None
    if (alone := _last_pass(visit, known)) is not None:
        return alone
    for found in (_places(known), _rows(known), _order(known), _ignored(known), _weightless(known)):
        if found is not None:
            return found
    return None


def _last_pass(visit: Visit, known: list[Pair]) -> Outcome | None:
    """Whether only the last of the passes of one token has a loss."""
    number = last_alone(visit)
    if not number or not _reads_next(known):
        return None
    return Outcome.warned(
        f"the model reads {number} tokens one by one for each backward pass, and only the last "
        "one has a loss",
        why=f"The model gets one lesson from {number} tokens; a target for each gives {number} for "
        "the same cost.",
        remedy="Add the loss of each token in the loop over time, loss = loss + "
        "F.cross_entropy(logits, y[:, t]), and divide by their number; loss = F.cross_entropy(...) "
        "replaces that of the token before.",
        numbers={"passes": float(number)},
    )


def _places(known: list[Pair]) -> Outcome | None:
    """Whether only the last place of each row has a target."""
    last = [each for each in known if each.order.startswith("last") and _length(each) > 1]
    if len(last) < 0.9 * len(known):
        return None
    wrong_axis = sum(each.order == "last in time" for each in last)
    if wrong_axis < len(last) / 2 and _reads_next(last):
        T = _length(last[0])
        return Outcome.warned(
            f"only the last of {T} places of each row has a target",
            why=f"The model gets one lesson from {T} tokens; a target at each place gives {T} for "
            "the same cost.",
            remedy="Return all places of the sequence and give the loss a target for each.",
        )
    return None


def _rows(known: list[Pair]) -> Outcome | None:
    """Whether only one row of each batch has targets."""
    for order, which in (("last in time", "last"), ("first in time", "first")):
        chosen = [each for each in known if each.order == order]
        if len(chosen) < _LEAST or len(chosen) < 0.9 * len(known):
            continue
        at = -1 if which == "last" else 0
        # Time may be the first axis; then the targets of its last place are not in a row.
        shares = [
            float((each.targets[at, :-1] == each.seen.ids[at, 1:]).double().mean())
            for each in chosen
            if each.targets is not None and each.seen.ids is not None
            if each.seen.ids.shape == each.targets.shape and each.targets.shape[1] > 2
        ]
        if len(shares) < _LEAST or sum(shares) < 0.9 * len(shares):
            continue
        ids = chosen[0].seen.ids
        B = 0 if ids is None else len(ids)
        return Outcome.failed(
            f"only the {which} of the {B} rows of each batch has targets: the loss takes "
            f"logits[{at}], and the first axis of the logits is the batch",
            why=f"The model reads {B} rows and learns from one of them.",
            remedy="Give the loss all rows: F.cross_entropy(logits.flatten(0, 1), y.flatten()); "
            "the last place of each row is logits[:, -1].",
            numbers={"rows": float(B)},
        )
    return None


def _reads_next(pairs: list[Pair]) -> bool:
    """Whether the targets look like tokens that the model also reads."""
    read = torch.cat([each.seen.ids.flatten() for each in pairs if each.seen.ids is not None])
    targets = torch.cat([each.targets.flatten() for each in pairs if each.targets is not None])
    targets = targets[targets >= 0]
    return len(torch.unique(targets)) > 8 and bool(torch.isin(targets, read).double().mean() > 0.8)


def _order(known: list[Pair]) -> Outcome | None:
    """Whether the targets are right for another order of the loss's rows."""
    as_given, otherwise = [], []
    for each in known:
        ids, targets = each.seen.ids, each.targets
        if ids is None or targets is None or ids.ndim != 2 or ids.numel() != targets.numel():
            continue
        targets = targets.reshape(ids.shape)
        as_given.append(_next_share(ids, targets))
        B, T = ids.shape
        # The targets as they would be if the other axis had been first.
        otherwise.append(_next_share(ids, targets.flatten().reshape(T, B).T))
        otherwise.append(_next_share(ids, targets.T.flatten().reshape(B, T)))
    if not as_given or min(ids_shape := known[0].seen.ids.shape if known[0].seen.ids is not None
                           else (0,)) < 2:  # fmt: skip
        return None
    right, other = max(as_given), max(otherwise)
    if right > 0.5 or other < 0.9:
        return None
    return Outcome.failed(
        "the rows of the loss have the targets of other places: the logits are in one order of "
        f"batch and time, and the targets in the other ({right:.0%} of the targets are the next "
        f"token; {other:.0%} would be after a transpose of {tuple(ids_shape)})",
        why="The model learns to predict tokens of other rows, which is not possible: the loss "
        "stays near that of letter frequencies.",
        remedy="Use transpose(0, 1) (or permute) and not view or reshape to swap batch and time; "
        "or give every layer batch_first=True.",
        numbers={"next": right, "next_after_transpose": other},
    )


def _next_share(ids: Tensor, targets: Tensor) -> float:
    """The share of targets that are the next token along the better axis."""
    along = targets[:, :-1] == ids[:, 1:]
    down = targets[:-1] == ids[1:]
    return max((float(each.double().mean()) if each.numel() else 0.0) for each in (along, down))


def _ignored(known: list[Pair]) -> Outcome | None:
    """Whether a real symbol has the id that the loss ignores."""
    index = known[0].term.ignore_index
    if index is None or index < 0:
        return None
    ids = torch.cat([each.seen.ids.flatten() for each in known if each.seen.ids is not None])
    missed = total = 0
    for each in known:
        tokens, targets = each.seen.ids, each.targets
        if tokens is None or targets is None or tokens.shape != targets.shape:
            continue
        # Padding is at the end of a row; a symbol that more text follows is real.
        following = tokens[:, 1:] == index
        real = following[:, :-1] & (tokens[:, 2:] != index)
        missed += int((real & (targets[:, :-2] < 0)).sum())
        total += targets.numel()
    if not total or missed < 0.002 * total:
        return None
    share = float((ids == index).double().mean())
    return Outcome.failed(
        f"the loss ignores the target {index}, which is a symbol of the text ({share:.1%} of it)",
        why=WHY,
        remedy="Give padding an id of its own, or leave ignore_index out.",
    )


def _weightless(known: list[Pair]) -> Outcome | None:
    """Whether frequent symbols of the text have the weight 0 in the loss."""
    none = torch.tensor(sorted({each for pair in known for each in pair.term.without_weight}))
    if not len(none):
        return None
    counts: dict[int, int] = {}
    total = 0
    for each in known:
        targets = each.targets
        if targets is None or targets.ndim != 2:
            continue
        counted = (~torch.isin(targets, none) & (targets >= 0)).long()
        # Padding is at an end of a row; a symbol with text on both sides of it is real.
        inside = (counted.cumsum(1) > 0) & (counted.flip(1).cumsum(1).flip(1) > 0)
        missed = targets[inside & (counted == 0) & (targets >= 0)]
        for symbol, count in zip(*torch.unique(missed, return_counts=True), strict=True):
            counts[int(symbol)] = counts.get(int(symbol), 0) + int(count)
        total += int((targets >= 0).sum())
    if not total or sum(counts.values()) < _OFTEN * total:
        return None
    share = sum(counts.values()) / total
    most = sorted(counts, key=lambda symbol: -counts[symbol])[:_LEAST]
    return Outcome.failed(
        f"{share:.1%} of the targets have the weight 0 in the loss (most of them symbol "
        f"{', '.join(map(str, most))})",
        why="The model gets no lesson for these symbols, so it learns never to predict them.",
        remedy="Leave weight= out of the cross-entropy, or give only padding the weight 0.",
        numbers={"share": share},
    )


def _length(pair: Pair) -> int:
    return pair.seen.ids.shape[-1] if pair.seen.ids is not None and pair.seen.ids.ndim == 2 else 1
