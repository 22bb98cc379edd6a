"""The batches of a watched loop: what the model read, with the targets of the loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from seqzoo.doctor.evidence.endings import without_endings
from seqzoo.doctor.evidence.missing import Missing
from seqzoo.doctor.watching.pairs import Pair, last_alone, pairs_of
from seqzoo.doctor.watching.reading import ids_of
from seqzoo.doctor.watching.rereads import read_once
from seqzoo.doctor.watching.visit import ForwardPass, Visit
from seqzoo.plugin.contracts import Batch

__all__ = ["ONE_FOR_EACH_ROW", "WatchedBatches", "is_carried", "watched_batches"]

ONE_FOR_EACH_ROW = "the loss has one target for each row, so rows continue nothing"


@dataclass(frozen=True)
class WatchedBatches:
    """batches: (B, T). changed: whether what the model was given has another content at the end.

    is_time_first: whether the loop gives (T, B). is_carried: whether each pass was given the state
    of the one before it. is_flat: whether the model was given (B,). has_one_target: whether there
    is one target for each row, and one answer of the model; then targets are (B, 1).
    """

    batches: tuple[Batch, ...]
    changed: tuple[bool, ...]
    is_time_first: bool
    is_carried: bool
    is_flat: bool
    has_one_target: bool = False


def watched_batches(visit: Visit, *, carry_state: bool | None) -> WatchedBatches:
    """Raises Missing with the reason if inputs and targets cannot be joined."""
    pairs = [
        pair
        for pair in pairs_of(visit)
        if pair.seen.ids is not None and pair.seen.used_by is not None
    ]
    if not pairs:
        raise Missing(_reason(visit))
    if number := last_alone(visit):
        raise Missing(f"only the last of {number} passes for a backward pass has a loss")
    pairs = read_once(visit, pairs)
    if all(pair.targets is None for pair in pairs):
        raise Missing("the rows of the loss are not places of the model's output (see loop.loss)")
    if any(pair.order.startswith(("last", "first")) for pair in pairs):
        raise Missing(ONE_FOR_EACH_ROW)
    if all(map(_has_one_answer, pairs)):
        return _of_rows(pairs)
    joined = [each for each in map(_joined, pairs) if each is not None]
    if not joined:
        raise Missing("inputs and targets have other shapes, so they cannot be joined")
    carries = is_carried(pair.seen for pair in pairs) if carry_state is None else carry_state
    is_flat = pairs[0].seen.ids is not None and pairs[0].seen.ids.ndim == 1
    changed = [_has_changed(pair) for pair in pairs]
    if is_flat or joined[0][0].shape[1] == 1:
        joined, changed = _stacked(pairs, joined, changed)
    is_time_first = _is_time_first(joined, visit)
    if is_time_first:
        joined = [(inputs.T, targets.T) for inputs, targets in joined]
    batches = tuple(
        Batch(
            inputs=inputs.contiguous(),
            targets=targets.contiguous(),
            restarts=torch.full((len(inputs),), not carries),
        )
        for inputs, targets in joined
    )
    return WatchedBatches(batches, tuple(changed), is_time_first, carries, is_flat)


def _has_one_answer(pair: Pair) -> bool:
    """Whether the model read rows (B, T) and gave one answer for each, (B, V)."""
    ids, targets, shape = pair.seen.ids, pair.targets, pair.seen.output_shape
    if ids is None or ids.ndim != 2 or targets is None or len(shape) != 2:
        return False
    rows, length = ids.shape
    # Of a square it is not known which axis has the rows.
    return rows != length > 1 and shape[0] == targets.numel() == rows


def _of_rows(pairs: list[Pair]) -> WatchedBatches:
    batches = tuple(
        Batch(
            inputs=pair.seen.ids.contiguous(),
            targets=pair.targets.reshape(-1, 1),
            restarts=torch.ones(len(pair.seen.ids), dtype=torch.bool),
        )
        for pair in pairs
        if pair.seen.ids is not None and pair.targets is not None
    )
    return WatchedBatches(
        batches,
        tuple(map(_has_changed, pairs)),
        is_time_first=False,
        is_carried=False,
        is_flat=False,
        has_one_target=True,
    )


def _joined(pair: Pair) -> tuple[Tensor, Tensor] | None:
    ids, targets = pair.seen.ids, pair.targets
    if ids is None or targets is None or ids.numel() != targets.numel():
        return None
    if ids.ndim == 1:
        return ids[:, None], targets.reshape(-1, 1)
    targets = targets.reshape(ids.shape)
    targets = without_endings(ids, targets, filled=False)
    if pair.order == "all but the last":
        return ids[:, :-1], targets[:, :-1]
    if pair.order == "all but the first":
        return ids[:, 1:], targets[:, 1:]
    return ids, targets


def _stacked(
    pairs: list[Pair], joined: list[tuple[Tensor, Tensor]], changed: list[bool]
) -> tuple[list[tuple[Tensor, Tensor]], list[bool]]:
    """Passes of one token that one backward pass used are one batch, in the order of time."""
    numbered = sorted(zip(pairs, joined, changed, strict=False), key=lambda each: each[0].seen.when)
    batches, changes = [], []
    for _, group in groupby(numbered, key=lambda each: each[0].seen.used_by):
        members = list(group)
        if len({len(each[1][0]) for each in members}) > 1:
            continue
        batches.append(
            (
                torch.cat([each[1][0] for each in members], 1),
                torch.cat([each[1][1] for each in members], 1),
            )
        )
        changes.append(any(each[2] for each in members))
    return batches, changes


def is_carried(passes: Iterable[ForwardPass]) -> bool:
    """Whether passes of training are given the state of the one before.

    By the first pass of each backward pass: within one the state is carried in any case.
    """
    firsts: dict[int | None, ForwardPass] = {}
    for each in sorted(passes, key=lambda each: each.when):
        firsts.setdefault(each.used_by, each)
    later = list(firsts.values())[1:]
    return bool(later) and sum(each.has_state for each in later) > len(later) / 2


def _is_time_first(joined: list[tuple[Tensor, Tensor]], visit: Visit) -> bool:
    """Whether targets follow their inputs along the first axis, clearly more than the second."""
    down = [(t[:-1] == i[1:]).flatten() for i, t in joined if len(i) > 1]
    along = [(t[:, :-1] == i[:, 1:]).flatten() for i, t in joined if i.shape[1] > 1]
    shares = [
        float(torch.cat(each).double().mean()) if each and len(torch.cat(each)) else 0.0
        for each in (down, along)
    ]
    if max(shares) < 0.5:  # the targets do not show it
        return visit.has_time_first_layers
    return shares[0] > 0.9 and shares[0] > shares[1] + 0.2


def _has_changed(pair: Pair) -> bool:
    held, ids = pair.seen.original, pair.seen.ids
    if held is None or ids is None:
        return False
    now = ids_of(held)
    return now is None or not torch.equal(now.cpu().to(torch.int64), ids)


def _reason(visit: Visit) -> str:
    if not visit.backwards:
        return "no backward pass was seen"
    if not any(each.forwards for each in visit.backwards):
        return "no output of the model is in the loss's graph (see loop.loss)"
    if not any(each.terms for each in visit.backwards):
        return "the loss is not torch's cross-entropy, so its targets are not known"
    return "what the model reads are not token ids"
