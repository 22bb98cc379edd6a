"""Whether the updates of a loop raise the likelihood of the targets, and by how much they move."""

from __future__ import annotations

import math
from statistics import fmean

from seqzoo.doctor.checks.loop._steps import passes_of_steps
from seqzoo.doctor.watching.visit import Backward, LossTerm, Visit
from seqzoo.plugin.check import Outcome

__all__ = ["summed", "wrong_sign"]

_LEAST = 5
_NEARLY_ALL = 0.9
_WORSE_NATS = 0.1
_FEW_TARGETS = 16
_LARGE = 8.0


def wrong_sign(visit: Visit) -> Outcome | None:
    """A loss that falls when the targets become less likely, and targets that became so."""
    rounds = [(step, each) for step, inside in passes_of_steps(visit) for each in inside]
    known = [(step, each, _terms(each)) for step, each in rounds]
    known = [(step, each, terms) for step, each, terms in known if terms]
    if len(known) < _LEAST or len(known) < _NEARLY_ALL * len(rounds):
        return None
    wrong = [
        each
        for step, each, terms in known
        if all(_raises(term, each) is step.maximizes for term in terms)
    ]
    costs = _costs([each for _, each, _ in known])
    if len(wrong) < _NEARLY_ALL * len(known) or not costs or not _is_worse(costs):
        return None
    maximizes = sum(step.maximizes for step, _, _ in known) > len(known) / 2
    return Outcome.failed(
        "each update makes the targets less likely: their negative log-likelihood rose from "
        f"{costs[0]:.3g} to {costs[-1]:.3g} nats a target",
        why="The loss has the wrong sign for the optimizer, so it moves away from the text.",
        remedy="Leave out maximize=True, or give the optimizer the log-likelihood without a minus."
        if maximizes
        else "Minimise the negative log-likelihood: loss = -log_probabilities.mean(), or "
        "F.cross_entropy(logits, targets) without a minus before it.",
        numbers={"nats_first": costs[0], "nats_last": costs[-1]},
    )


def summed(visit: Visit) -> Outcome | None:
    """A sum over many targets with the rate of a mean, and a model that became worse by it."""
    if visit.clips or any(each.kind != "SGD" for each in visit.steps):
        return None
    terms = [(each, term) for each in visit.backwards for term in each.terms]
    factors = [
        abs(term.gradient) / (each.scale or 1.0) * len(term.targets)
        for each, term in terms
        if not term.is_mean and term.gradient is not None and term.targets is not None
    ]
    costs = _costs(visit.backwards)
    if len(factors) < _LEAST or len(factors) < _NEARLY_ALL * len(terms) or not costs:
        return None
    factor = sorted(factors)[len(factors) // 2]
    if factor < _LARGE or not _is_worse(costs):
        return None
    rate = max((rate for each in visit.steps for rate in each.rates), default=0.0)
    return Outcome.failed(
        f"the loss is a sum, so each update is {factor:.0f} times as large as with a mean, and "
        f"the model became worse: from {costs[0]:.3g} to {costs[-1]:.3g} nats a target",
        why=f"The learning rate {rate:.3g} moves the weights as {rate * factor:.3g} does with a "
        "mean over the targets.",
        remedy="Use reduction='mean', or divide the loss by the number of targets.",
        numbers={"factor": factor, "nats_first": costs[0], "nats_last": costs[-1]},
    )


def _terms(backward: Backward) -> list[LossTerm]:
    """The likelihoods of the model's output whose weight is known, and the same for all rows."""
    found = [*backward.terms, *backward.picked]
    found = [each for each in found if each.forward is not None]
    return found if all(each.gradient and each.is_even for each in found) else []


def _raises(term: LossTerm, backward: Backward) -> bool:
    """Whether a lower loss makes the targets of this part of it more likely."""
    weight = (term.gradient or 0.0) * math.copysign(1.0, backward.scale or 1.0)
    return (weight > 0) is (any(term is each for each in backward.terms))


def _costs(backwards: list[Backward]) -> list[float]:
    """Nats a target of each backward pass; infinite where they are not finite."""
    costs = []
    for each in backwards:
        nats = [term.nats for term in (*each.terms, *each.picked) if term.nats is not None]
        if nats:
            cost = fmean(nats)
            costs.append(cost if math.isfinite(cost) else math.inf)
    return costs


def _is_worse(costs: list[float]) -> bool:
    last = costs[-max(1, len(costs) // 5) :]
    return math.isfinite(costs[0]) and fmean(last) > costs[0] + _WORSE_NATS
