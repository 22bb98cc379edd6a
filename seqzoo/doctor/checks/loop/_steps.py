"""The steps of a visit that a check can look at, and passes between them."""

from __future__ import annotations

from seqzoo.doctor.subject import Missing
from seqzoo.doctor.watching.visit import Backward, Step, Visit

__all__ = ["between_steps", "clear_steps", "plain_steps"]


def plain_steps(visit: Visit) -> list[Step]:
    """Steps whose gradients were there when they began. Raises Missing if there are none.

    With a closure the passes are made inside the step.
    """
    clear_steps(visit)
    steps = [each for each in visit.steps if not each.has_closure]
    if not steps:
        raise Missing("the optimizer calls a closure, which makes the passes inside the step")
    return steps


def clear_steps(visit: Visit) -> list[Step]:
    """The steps that were looked at. Raises Missing if there are none."""
    if not visit.steps:
        raise Missing("no step of an optimizer of this model was seen (see loop.optimizer)")
    return visit.steps


def between_steps(visit: Visit) -> list[tuple[Step, list[Backward]]]:
    """Each step with the backward passes since the step before it."""
    return [
        (step, [each for each in visit.backwards if begin < each.when < step.when])
        for begin, step in zip([0, *(s.when for s in visit.steps)], visit.steps, strict=False)
    ]
