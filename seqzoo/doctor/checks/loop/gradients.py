"""Whether gradients are cleared between steps, and only there.

Method: before each backward pass the gradients that the last step used are looked at: they must be
None or zero before the next step of the same optimizer; and each step must find gradients. Cost: a
look at every gradient in the first steps. Pass rule: no step uses a gradient with parts of an
earlier step, and steps find gradients.
"""

from __future__ import annotations

from seqzoo.doctor.checks.loop._steps import steps_of
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    steps = steps_of(visit)
    later = steps[1:]
    empty = [each for each in steps if each.known and each.empty == each.known]
    if len(empty) == len(steps) and visit.backwards_seen:
        if not any(each.reaches_parameters for each in visit.backwards):
            return Outcome.skipped("the loss reaches no parameter (see loop.optimizer)")
        return Outcome.failed(
            f"all {len(steps)} steps found no gradient: it was cleared between backward() and "
            "step()",
            why="The optimizer then has nothing to do, and the model stays as it was initialised.",
            remedy="Use this order: optimizer.zero_grad(), loss.backward(), optimizer.step().",
            numbers={"empty": 1.0},
        )
    if not later:
        return Outcome.skipped("fewer than two steps were seen")
    kept = [each for each in later if each.dirty]
    share = len(kept) / len(later)
    numbers = {"kept": share}
    if share <= 0.5:
        return Outcome.passed(
            f"gradients were cleared before {len(later) - len(kept)} of {len(later)} steps",
            **numbers,
        )
    most = max(each.dirty for each in kept)
    which = "all" if most >= max(each.known - each.empty for each in kept) else f"{most}"
    return Outcome.failed(
        f"{len(kept)} of {len(later)} steps used gradients that contain those of earlier steps "
        f"({which} parameters): they are not cleared",
        why="Every update repeats all earlier gradients: the direction is that of old weights, and "
        "the size grows with each step.",
        remedy="Call optimizer.zero_grad() once for each step, before backward(); with parameters "
        "in several optimizers, model.zero_grad().",
        numbers=numbers,
    )
