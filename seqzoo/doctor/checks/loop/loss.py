"""What the loss was really computed from.

Method: the graph of each loss is walked to the cross-entropy and to the model's output. The rows of
the loss are matched by value with the places of the output, and its targets with the tokens that
the model reads. Cost: a walk over the graph, and the log-probabilities of the first steps. Pass
rule: the loss comes from the model's output through one softmax over the classes, is finite, takes
every place or the last, its targets belong to the places of its rows, no frequent symbol is
ignored, a lower loss means that the targets are more likely, and they became so or the loss is not
a sum over many of them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqzoo.doctor.checks.loop._direction import summed, wrong_sign
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.doctor.watching.pairs import Pair, pairs_of
from seqzoo.doctor.watching.visit import Visit
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_LEAST = 3


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    if not visit.backwards:
        return Outcome.skipped("no backward pass was seen")
    for look in (summed, _not_finite, _detached, _softmaxes, _targets, wrong_sign):
        found = look(visit)
        if found is not None:
            return found
    if not any(each.terms for each in visit.backwards):
        raise Missing(
            f"the loss is not torch's cross-entropy ({_values(visit)}), so only its value is known"
        )
    return Outcome.passed(f"the loss comes from the model's output; {_values(visit)}")


def _not_finite(visit: Visit) -> Outcome | None:
    for number, each in enumerate(visit.backwards, start=1):
        if each.value is not None and not math.isfinite(each.value):
            return Outcome.failed(
                f"the loss of backward pass {number} is {each.value}",
                why="From then on all weights are not finite.",
                remedy="Lower the learning rate, clip the gradients, and look for log(0), a "
                "division by zero, or a mean over no target.",
            )
    return None


def _detached(visit: Visit) -> Outcome | None:
    if not visit.forwards_seen:
        raise Missing(
            "the model was not called inside the block; give watch the module that is called"
        )
    whole = [each for each in visit.backwards if each.is_whole]
    if not whole or any(each.forwards for each in whole):
        return None
    if not any(each.with_gradients for each in visit.forwards):
        raise Missing("the model was only called without gradients")
    if all(each.reaches_parameters for each in whole):
        raise Missing("parts of the model are called one by one, so its output is not known")
    return _failed(
        "no loss was computed from the model's output",
        "Compute the loss from the logits themselves: no .detach(), .data, .item(), numpy(), "
        "argmax or new tensor between model and loss.",
    )


def _softmaxes(visit: Visit) -> Outcome | None:
    terms = [term for each in visit.backwards for term in each.terms]
    if not terms:
        return None
    loose = sum(term.normalised < 0.5 for term in terms)
    if loose > len(terms) / 2:
        return _failed(
            "what the negative log-likelihood reads are not log-probabilities over the classes",
            "Use F.cross_entropy(logits, targets), which has the log-softmax inside; with "
            "F.nll_loss take log_softmax(logits, dim=-1), over the axis of the classes.",
        )
    viewed = sum(term.is_viewed for term in terms)
    if viewed > len(terms) / 2:
        return _failed(
            "the logits became (B, V, T) by view or reshape, which moves no axis: each row of the "
            "loss is made of the logits of several tokens",
            "Use logits.transpose(1, 2) for F.cross_entropy(logits, y), or flatten both: "
            "F.cross_entropy(logits.flatten(0, 1), y.flatten()).",
        )
    double = sum(term.softmaxes > 1 for term in terms)
    if double > len(terms) / 2:
        return _failed(
            "the model's output passes through a softmax, and then through that of the "
            "cross-entropy",
            "Give the cross-entropy the logits, without softmax or log-softmax before it.",
        )
    return None


def _targets(visit: Visit) -> Outcome | None:
    pairs = [each for each in pairs_of(visit) if each.seen.ids is not None]
    known = [each for each in pairs if each.targets is not None]
    if len(known) < _LEAST:
        return None
    for found in (_places(known), _order(known), _ignored(known)):
        if found is not None:
            return found
    return None


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
    return _failed(
        f"the loss ignores the target {index}, which is a symbol of the text ({share:.1%} of it)",
        "Give padding an id of its own, or leave ignore_index out.",
    )


def _length(pair: Pair) -> int:
    return pair.seen.ids.shape[-1] if pair.seen.ids is not None and pair.seen.ids.ndim == 2 else 1


def _values(visit: Visit) -> str:
    values = [each.value for each in visit.backwards if each.value is not None]
    return f"its value was {values[0]:.3g} at first and {values[-1]:.3g} at last" if values else ""


def _failed(seen: str, remedy: str) -> Outcome:
    return Outcome.failed(
        seen,
        why="The optimizer lowers another quantity than the one that is meant.",
        remedy=remedy,
    )
