"""The steps of a visit that a check can look at, and the passes for each."""

from __future__ import annotations

from seqzoo.doctor.subject import Missing
from seqzoo.doctor.watching.visit import Backward, Step, Visit

__all__ = ["passes_of_several_batches", "passes_of_steps", "steps_of"]


def steps_of(visit: Visit) -> list[Step]:
    """The steps that were looked at from begin to end. Raises Missing if there are none."""
    steps = [each for each in visit.steps if each.ended]
    if not steps:
        raise Missing("no step of an optimizer of this model was seen (see loop.optimizer)")
    return steps


def passes_of_steps(visit: Visit) -> list[tuple[Step, list[Backward]]]:
    """Each step with its backward passes: before it, or inside it if it has a closure."""
    steps = [each for each in visit.steps if each.ended]
    begins = [0, *(each.ended for each in steps)]
    return [
        (step, [each for each in visit.backwards if begin < each.when < step.ended])
        for begin, step in zip(begins, steps, strict=False)
    ]


def passes_of_several_batches(visit: Visit) -> list[list[Backward]]:
    """For each step that is made of several backward passes of different batches, those passes."""
    content = {each.when: each.content for each in visit.forwards}
    groups = [inside for _, inside in passes_of_steps(visit) if len(inside) > 1]
    return [
        inside
        for inside in groups
        if len({tuple(content.get(n) for n in each.forwards) for each in inside}) == len(inside)
    ]
