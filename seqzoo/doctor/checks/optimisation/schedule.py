"""Whether the schedule leaves a learning rate that is worth an update.

Method: the factor of the schedule and its warm-up, at up to 1000 updates spread evenly over the
budget; a budget in seconds has no known number of updates, and counts as 1000 after the warm-up.
Cost: none; the short training of the doctor cannot show it, because its rate is constant. Pass
rule: the highest factor is at least 1 %. Schedules that decay to a small share begin at all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from seqzoo.doctor.checks.optimisation.warmup import updates_of
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome
from seqzoo.runs.build import build_schedule
from seqzoo.training.schedule import learning_rate_factor

__all__ = ["examine"]

_MOST_LOOKS = 1000
_LEAST = 0.01


def examine(subject: Subject) -> Outcome:
    section = subject.recipe.train.schedule
    schedule = build_schedule(subject.recipe)
    highest = max(
        learning_rate_factor(
            schedule, warmup_steps=section.warmup_steps, step=step, progress=progress
        )
        for step, progress in _updates(subject)
    )
    numbers = {"highest": highest}
    if highest >= _LEAST:
        return Outcome.passed(
            f"the highest rate of all updates is {highest:.2g} times the rate that was set",
            **numbers,
        )
    return Outcome.failed(
        f"with {section.name}, no update has more than {highest:.2g} times the rate that was set",
        why="At a rate that is almost 0 no update changes the weights, and nothing is learnt.",
        remedy="Use another schedule (train.schedule.decay: constant), a shorter warm-up, or a "
        "longer budget.",
        changes=("train.schedule={decay: constant}",),
        numbers=numbers,
    )


def _updates(subject: Subject) -> Iterator[tuple[int, float]]:
    """The step and the spent share of the budget of some updates, the first and the last too."""
    section, per_token = subject.recipe.train, subject.bytes_per_token
    first = 0
    try:
        known = updates_of(
            section, bytes_per_token=per_token, epoch_bytes=len(subject.tokens) * per_token
        )
    except Missing:
        known, first = float(_MOST_LOOKS), section.schedule.warmup_steps
    count = max(1, round(known))
    looks = min(count, _MOST_LOOKS)
    for look in range(looks):
        step = look * (count - 1) // max(1, looks - 1)
        yield first + step, step / count
