"""Whether gradients are cleared between steps, and only there.

Method: before each backward pass the gradients that the last step used are looked at: they must be
None or zero before the next step of the same optimizer; and each step must find gradients. Cost: a
look at every gradient in the first steps. Pass rule: no step uses a gradient with parts of an
earlier step, and steps find gradients.
"""

from __future__ import annotations

from seqzoo.doctor.checks.loop._steps import passes_of_several_batches, steps_of
from seqzoo.doctor.subject import Subject
from seqzoo.doctor.watching.visit import Step, Visit
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    steps = steps_of(visit)
    # Each optimizer for itself: one of two may be cleared.
    groups = [[each for each in steps if each.optimizer == key] for key in _keys(steps)]
    if passes := _lost(visit):
        return Outcome.failed(
            f"gradients are cleared before each of the {passes} backward passes of a step, so the "
            "step uses those of the last one",
            why="The other passes cost their time and change nothing: the batch is smaller than "
            "it looks.",
            remedy="Call optimizer.zero_grad() once for each step, after step() or before the "
            "first of its backward passes.",
            numbers={"passes": float(passes)},
        )
    later = max((group[1:] for group in groups), key=_share_kept)
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
    kept, share = [each for each in later if each.dirty], _share_kept(later)
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


def _lost(visit: Visit) -> int:
    """Backward passes of different batches for a step, if each begins with no gradient; else 0."""
    lost = [
        inside
        for inside in passes_of_several_batches(visit)
        if all(each.all_cleared and not each.in_step for each in inside)
    ]
    if len(lost) < max(2, 0.5 * len(visit.steps)):
        return 0
    return len(lost[0])


def _keys(steps: list[Step]) -> set[int]:
    return {each.optimizer for each in steps}


def _share_kept(steps: list[Step]) -> float:
    return sum(each.dirty > 0 for each in steps) / len(steps) if steps else 0.0
