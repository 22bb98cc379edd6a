"""Whether a loss has the form of a cross-entropy of the model's logits."""

from __future__ import annotations

import math
from collections import Counter

from seqzoo.doctor.watching.path import UNIT_LENGTH
from seqzoo.doctor.watching.visit import Function, LossTerm, Visit
from seqzoo.plugin.check import Outcome

__all__ = ["WHY", "divergences", "softmaxes"]

WHY = "The optimizer lowers another quantity than the one that is meant."

_HIGHEST = 0.9
_WIDE = 10.0
_LOW = -1.0


def softmaxes(visit: Visit) -> Outcome | None:
    """One softmax, over the classes, of logits that can have any value."""
    terms = [term for each in visit.backwards for term in each.terms]
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
    if not terms:
        terms = [term for each in visit.backwards for term in each.log_softmaxes]
    faults = Counter(fault for term in terms if (fault := _fault(term)) is not None)
    if faults.total() <= len(terms) / 2:
        return None
    return _failed(
        faults.most_common(1)[0][0],
        "Give the loss the logits as the last linear layer gives them, with one softmax or "
        "log-softmax after it. F.cross_entropy has it inside.",
    )


def _fault(term: LossTerm) -> str | None:
    """What is wrong with the first function that does not let the logits have any value."""
    for function in term.functions:
        said = _narrow(function, term.num_classes)
        if said is not None:
            return f"the model's output passes through {function.name} {said}"
    return None


def _narrow(function: Function, num_classes: int) -> str | None:
    """How the values of a function are limited; None if they let any token be likely."""
    low, high, scale = function.low, function.high, function.scale
    if function.name == "softmax":
        return "before the loss, which has a softmax of its own"
    if high == 0.0:
        return "before the loss"
    if math.isfinite(low) and math.isinf(high) and scale > 0 and low >= _LOW:
        lowest = low * scale if math.isfinite(scale) else low
        return f"before the loss, so no logit can be below {lowest:.3g}"
    if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(scale)):
        return None
    low, high = sorted((low * scale, high * scale))
    # In a row of length 1 the other values are near 0 if one is near 1.
    width = high if function.name == UNIT_LENGTH else high - low
    highest = 1 / (1 + (num_classes - 1) * math.exp(-min(width, 100.0)))
    if width >= _WIDE or highest > _HIGHEST:
        return None
    return (
        f"before the loss, so the logits are in {low:.3g} to {high:.3g}, and no token can "
        f"get a probability above {highest:.1%}"
    )


def divergences(visit: Visit) -> Outcome | None:
    """A Kullback-Leibler divergence of log-probabilities, with a mean over the rows."""
    found = [(each, part) for each in visit.backwards for part in each.divergences]
    for reads in ("probabilities", "logits"):
        if sum(part.reads == reads for _, part in found) > len(found) / 2:
            return _failed(
                f"the KL divergence (F.kl_div, nn.KLDivLoss) reads {reads} of the model, and it "
                "expects log-probabilities",
                "Use F.kl_div(logits.log_softmax(-1), targets, reduction='batchmean').",
            )
    small = [
        (each, part)
        for each, part in found
        if part.is_mean and part.gradient is not None and not each.terms and not each.picked
    ]
    if not small or len(small) <= len(found) / 2:
        return None
    weights = sorted(
        abs(part.gradient or 0.0) / (each.scale or 1.0) * part.num_rows * part.num_classes
        for each, part in small
    )
    if weights[len(weights) // 2] > 2:
        return None
    num_classes = small[0][1].num_classes
    return Outcome.warned(
        f"the KL divergence is a mean over the {num_classes} classes too, so it is {num_classes} "
        "times too small",
        why="F.kl_div and nn.KLDivLoss divide by the number of all values with reduction='mean', "
        "their default. The divergence is a sum over the classes.",
        remedy="Use reduction='batchmean' with (N, V): flatten batch and time before it.",
        numbers={"classes": float(num_classes)},
    )


def _failed(seen: str, remedy: str) -> Outcome:
    return Outcome.failed(seen, why=WHY, remedy=remedy)
