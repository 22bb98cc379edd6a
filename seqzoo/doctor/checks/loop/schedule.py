"""Whether the learning rate is above zero, and is changed at the right places.

Method: the rates of all groups at each step, and the calls of torch's schedulers. Cost: none. Pass
rule: no group has the rate 0 all the time, the rate is not below a hundredth of its peak for more
than half of at least 20 steps, one that had only fallen to almost 0 does not rise again step by
step (a restart is one jump), and no scheduler is called before the first step.
"""

from __future__ import annotations

from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_LEAST = 5
_LEAST_FALL = 20
_BACK = 0.5


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    if not visit.rates or not visit.steps:
        return Outcome.skipped("no step of an optimizer of this model was seen")
    for found in (_zero(subject), _fallen(subject), _returned(subject), _early(subject)):
        if found is not None:
            return found
    rates = [rate for each in visit.steps for rate in each.rates]
    return Outcome.passed(f"learning rates from {min(rates):.3g} to {max(rates):.3g}")


def _zero(subject: Subject) -> Outcome | None:
    visit = subject.visit
    if visit.steps_seen < _LEAST:
        return None
    for each in visit.rates.values():
        if each.peak == 0:
            return Outcome.failed(
                f"the learning rate is 0 in all {each.steps} steps",
                why="Nothing is learnt at the rate 0.",
                remedy="Set the optimizer's lr; if a warm-up is planned, call scheduler.step() "
                "after every optimizer.step(), and let the factor begin above 0.",
                numbers={"peak": 0.0},
            )
    shapes = {len(each.rates) for each in visit.steps}
    if len(shapes) == 1 and len({each.optimizer for each in visit.steps}) == 1:
        highest = [max(rates) for rates in zip(*(each.rates for each in visit.steps), strict=True)]
        unused = [place for place, rate in enumerate(highest) if rate == 0]
        if unused:
            return Outcome.warned(
                f"group {unused[0]} of {len(highest)} has the learning rate 0 in all "
                f"{len(visit.steps)} steps that were looked at",
                why="Its parameters do not move.",
                remedy="Set lr for every group, or requires_grad=False if they are to stay.",
            )
    return None


def _fallen(subject: Subject) -> Outcome | None:
    for each in subject.visit.rates.values():
        since = each.tiny_since
        if since is None or each.peak == 0 or each.steps < _LEAST_FALL:
            continue
        if each.steps - since > 0.5 * each.steps:
            return Outcome.failed(
                f"the learning rate fell to {each.last:.2g}, a hundredth of its peak of "
                f"{each.peak:.2g} or less, after {since - 1} of {each.steps} steps",
                why="Most of the training has no effect: the schedule ends long before the loop.",
                remedy="Call scheduler.step() at the place for which it is made (StepLR and "
                "ExponentialLR mostly once for each epoch, a schedule over all steps once for each "
                "step), and give it the number of steps of the whole loop.",
                numbers={"peak": each.peak, "last": each.last},
            )
    return None


def _returned(subject: Subject) -> Outcome | None:
    for each in subject.visit.rates.values():
        is_back = each.highest_after > _BACK * each.peak
        if each.turned is None or not is_back or each.largest_rise > _BACK * each.peak:
            continue
        return Outcome.failed(
            f"the learning rate fell from {each.peak:.2g} to almost 0 in {each.turned} steps and "
            f"rose again to {each.highest_after:.2g}: CosineAnnealingLR does so after T_max calls",
            why="The schedule is over long before the loop, and then undoes what its end is for: "
            "small steps at the end of the training.",
            remedy="Give T_max as the number of calls of scheduler.step() in the whole loop: the "
            "number of batches of all epochs if it is called for each batch. For restarts that are "
            "meant, use CosineAnnealingWarmRestarts.",
            numbers={"turned": float(each.turned), "highest_after": each.highest_after},
        )
    return None


def _early(subject: Subject) -> Outcome | None:
    visit = subject.visit
    first = visit.steps[0].when
    early = [when for when in visit.scheduler_steps if when < first]
    begun = min((each.when for each in visit.backwards), default=first)
    if not early or not any(when > begun for when in early):
        return None
    return Outcome.warned(
        "scheduler.step() is called before optimizer.step()",
        why="The first value of the schedule is skipped, and torch gives a warning.",
        remedy="Call optimizer.step() first and scheduler.step() after it.",
    )
