"""Whether the losses of several passes for one step are divided by their number.

Method: backward passes since the gradients were cleared, the passes of the model that they reach,
and the gradient that arrives at the cross-entropy, without the scale of a gradient scaler: 1/k if
the loss of each of k passes is divided by k. Cost: none. Pass rule: it is below 0.9 if several
passes with different inputs make one step.
"""

from __future__ import annotations

from seqzoo.doctor.checks.loop._steps import passes_of_several_batches, steps_of
from seqzoo.doctor.subject import Subject
from seqzoo.doctor.watching.visit import Backward
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_LEAST_STEPS = 2
_UNDIVIDED = 0.9


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    steps_of(visit)
    groups = [
        inside
        for inside in passes_of_several_batches(visit)
        # Cleared before each: the passes belong to several losses, or earlier ones are lost.
        if sum(each.all_cleared for each in inside) <= 1
        and all(len(each.terms) == 1 for each in inside)
    ]
    if len(groups) < _LEAST_STEPS or len(groups) < 0.5 * len(visit.steps):
        return Outcome.passed("no step is made of several backward passes")
    arrived = [_arrived(each) for inside in groups for each in inside]
    known = [each for each in arrived if each is not None]
    if not known:
        return Outcome.skipped("the loss is not a mean cross-entropy, so its weight is not known")
    k, share = len(groups[0]), sorted(known)[len(known) // 2]
    numbers = {"passes": float(k), "weight": share}
    if share < _UNDIVIDED:
        return Outcome.passed(
            f"{k} passes make one step, each loss with the weight {share:.2g}", **numbers
        )
    return Outcome.warned(
        f"{k} backward passes make one step, and each loss has the weight {share:.2g} "
        f"instead of 1/{k}",
        why=f"The gradient is the sum over {k} batches: {k} times as large as that of one batch of "
        "the same text. Limits of clipping and, without Adam, the learning rate mean something "
        "else than with one large batch.",
        remedy=f"If {k} batches are meant to make one step, divide: (loss / {k}).backward(). If "
        "not, call optimizer.step() for each batch.",
        numbers=numbers,
    )


def _arrived(backward: Backward) -> float | None:
    (term,) = backward.terms
    if term.gradient is None or not term.is_mean:
        return None
    return term.gradient / (backward.scale or 1.0)
