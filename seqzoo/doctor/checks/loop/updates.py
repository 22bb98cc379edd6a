"""How far a step moves the weights, and whether the gradient decides where to.

Method: of each matrix up to 256 values before and after each of the first steps, the weight decay
of the optimizer beside the gradient that it meets, and the losses. Cost: a look at these values.
Pass rule: the first steps of the median matrix are smaller than the matrix, or at most five times
as large where the loss falls; steps are larger than 1e-5 of it at the highest rate; decay takes
less than 2 % of a weight in a step (it forgets all but the last 50 steps otherwise), and where it
is added to the gradient, less than five times the gradient. Nothing else changes the weights after
each step while the loss stands still, and a loop that changes them itself does not raise the loss
by a tenth. Source: Karpathy 2015, CS231n, for a ratio of about 1e-3; Loshchilov and Hutter 2019,
arXiv:1711.05101, for both kinds of decay.
"""

from __future__ import annotations

import math
from statistics import median

from seqzoo.doctor.checks.loop._steps import steps_of
from seqzoo.doctor.subject import Subject
from seqzoo.doctor.watching.visit import Visit
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_FIRST = 5
_LEAST = 10
_WHOLE = 1.0
_FIVEFOLD = 5.0
_MUCH = 0.1
_LITTLE = 0.02
_FEW = 3
_MOSTLY = 0.8
_TINY = 1e-5
_FORGETS = 0.02
_OUTWEIGHS = 5.0


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    if visit.moved_by_hand and not visit.steps_seen and _loss_rises(visit, by=_MUCH):
        return _wrong_way(visit)
    steps = steps_of(visit)
    shares = [
        each.shares
        for each in visit.moved.values()
        if len(each.shares) >= _LEAST and median(each.shares) > 0
    ]
    shrinkage = median(each.shrinkage for each in steps)
    decays = [each.decay for each in steps if each.decay is not None]
    decay = median(decays) if decays else 0.0
    if shrinkage >= _FORGETS or decay >= _OUTWEIGHS:
        return _decays(shrinkage, decay)
    if not shares:
        return Outcome.skipped("fewer than ten steps were seen in which a matrix moved")
    first = median(max(each[:_FIRST]) for each in shares)
    usual = median(median(each) for each in shares)
    numbers = {"first": first, "usual": usual, "shrinkage": shrinkage, "decay": decay}
    if visit.changed_between > _MOSTLY * (len(steps) - 1) and _stands_still(visit):
        return _changed_between(visit, len(steps))
    if first >= _FIVEFOLD or (first >= _WHOLE and _loss_rises(visit)):
        return _too_far(visit, first, numbers)
    if usual * _rise_of_rate(visit) < _TINY:
        return Outcome.warned(
            f"a step moves the matrices by {usual:.1e} of their size",
            why=f"At this pace they have moved by a tenth of their size after {0.1 / usual:.0e} "
            "steps: the model stays as it was initialised.",
            remedy=f"Raise the learning rate (the highest was {_highest(visit):.2g}); a usual step "
            "moves a matrix by about 1e-3 of its size.",
            numbers=numbers,
        )
    return Outcome.passed(
        f"the first steps move the matrices by {first:.1e} of their size, later ones by "
        f"{usual:.1e}",
        **numbers,
    )


def _decays(shrinkage: float, decay: float) -> Outcome:
    numbers = {"shrinkage": shrinkage, "decay": decay}
    if shrinkage >= _FORGETS:
        seen = f"weight decay takes {shrinkage:.2g} of each weight in each step"
        why = f"The weights contain little more than the last {1 / shrinkage:.0f} updates."
    else:
        seen = f"weight decay adds {decay:.2g} times the size of the gradient to it"
        why = "The update goes towards zero, and hardly towards a lower loss."
    return Outcome.failed(
        seen,
        why=why,
        remedy="Lower weight_decay: 0.1 is usual for AdamW, 0 to 1e-4 for Adam and SGD.",
        numbers=numbers,
    )


def _too_far(visit: Visit, first: float, numbers: dict[str, float]) -> Outcome:
    values = _losses(visit)
    losses = f"; the loss was {values[0]:.3g} and is {values[-1]:.3g}" if values else ""
    return Outcome.failed(
        f"the first steps move the matrices by {first:.2g} times their size{losses}",
        why="A step that is larger than the weights replaces what they are: the model starts "
        "again, from worse values, in each step.",
        remedy=f"Lower the learning rate (the highest was {_highest(visit):.2g}): 1e-3 is usual "
        "for Adam; and clip the gradients.",
        numbers=numbers,
    )


def _losses(visit: Visit) -> list[float]:
    return [each.value for each in visit.backwards if each.value is not None]


def _wrong_way(visit: Visit) -> Outcome:
    values = _losses(visit)
    return Outcome.failed(
        f"the loop changes the weights itself, and the loss rises from {values[0]:.3g} to "
        f"{values[-1]:.3g}",
        why="The weights move up the gradient, or far beyond where it shows the way.",
        remedy="Subtract: parameter -= learning_rate * parameter.grad, inside torch.no_grad(); and "
        "lower the learning rate. An optimizer of torch.optim does it.",
    )


def _changed_between(visit: Visit, steps: int) -> Outcome:
    values = _losses(visit)
    return Outcome.failed(
        f"{visit.changed_between} of {steps - 1} steps began with other weights than the step "
        f"before had left, and the loss was {values[0]:.3g} and is {values[-1]:.3g}",
        why="Something else than the optimizer changes the weights after each step, and undoes "
        "what it does.",
        remedy="Look for a clamp_, a normalisation, or a copy_ of other weights in the loop.",
    )


def _stands_still(visit: Visit) -> bool:
    """Whether the last losses are those after the first few steps."""
    values = _losses(visit)[_FEW:]
    if len(values) < 2 * _FIRST or not all(map(math.isfinite, values)):
        return False
    return median(values[-_FIRST:]) > (1 - _LITTLE) * median(values[:_FIRST])


def _loss_rises(visit: Visit, *, by: float = 0.0) -> bool:
    """Whether the last losses are above the first, by a share of it; a loss that is not finite has
    its own check.
    """
    values = _losses(visit)
    if len(values) < _LEAST or not all(map(math.isfinite, values)):
        return False
    return median(values[-_FIRST:]) > values[0] + by * abs(values[0])


def _highest(visit: Visit) -> float:
    return max((each.peak for each in visit.rates.values()), default=0.0)


def _rise_of_rate(visit: Visit) -> float:
    """The highest rate of the loop, as a multiple of the usual one in the steps looked at."""
    looked_at = [max(each.rates) for each in visit.steps if each.rates]
    usual = median(looked_at) if looked_at else 0.0
    return _highest(visit) / usual if usual else 1.0
