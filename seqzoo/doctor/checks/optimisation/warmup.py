"""Whether the learning rate's warm-up ends well before the budget does.

Method: train.schedule.warmup_steps is compared with the number of updates in the budget: its steps,
or its bytes or epochs divided by what an update reads. Cost: none; the short training of the doctor
cannot show it, because it shortens the warm-up. Pass rule: at most half of the updates warm up, so
that the full rate is used for longer than the way to it. Fail: the budget ends first, and the full
rate is never used. How many updates fit in a budget of seconds is not known in advance. Usual are
1 to 10 % (Goyal et al. 2017, arXiv:1706.02677, use 5 of 90 epochs).
"""

from __future__ import annotations

from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome
from seqzoo.recipes.sections import TrainSection

__all__ = ["examine"]

_MOST = 0.5
_USUAL = 0.1


def examine(subject: Subject) -> Outcome:
    section = subject.recipe.train
    warmup = section.schedule.warmup_steps
    if warmup <= 1:  # the first update of a warm-up of one has the full rate
        return Outcome.passed("there is no warm-up", warmup=float(warmup))
    per_token = subject.bytes_per_token
    budget = updates_of(
        section, bytes_per_token=per_token, epoch_bytes=len(subject.tokens) * per_token
    )
    share = warmup / budget
    seen = f"the warm-up takes {warmup:,} updates, and the budget has {budget:,.0f}"
    numbers = {"warmup": float(warmup), "budget": budget, "share": share}
    if share <= _MOST:
        return Outcome.passed(seen, **numbers)
    usual = int(_USUAL * budget)
    return Outcome(
        status="fail" if share >= 1 else "warn",
        seen=seen,
        why="Below the full rate a network learns slowly: "
        + (_end_of(share) if share >= 1 else "this training spends most of its budget there."),
        remedy=f"Warm up for a tenth of the budget (train.schedule.warmup_steps={usual}), or train "
        f"longer.",
        changes=(f"train.schedule.warmup_steps={usual}",),
        numbers=numbers,
    )


def _end_of(share: float) -> str:
    reached = f"{1 / share:.2g}"
    if reached == "1":
        return "this training reaches the rate that was set only at its end."
    return f"this training ends at {reached} times the rate that was set."


def updates_of(section: TrainSection, *, bytes_per_token: float, epoch_bytes: float) -> float:
    """How many updates the budget has. Raises Missing if it is only in seconds."""
    budget = section.budget
    holds = [] if budget.steps is None else [float(budget.steps)]
    per_byte = _updates_per_byte(section, bytes_per_token)
    if budget.bytes is not None:
        holds.append(budget.bytes * per_byte)
    if budget.epochs is not None:
        holds.append(budget.epochs * epoch_bytes * per_byte)
    if not holds:
        raise Missing("the budget is in seconds: how many updates it has is not known in advance")
    return min(holds)


def _updates_per_byte(section: TrainSection, bytes_per_token: float) -> float:
    if isinstance(section.bptt_length, int):
        shares = {section.bptt_length: 1.0}
    else:
        shares = {}
        for place, stage in enumerate(section.bptt_length):
            later = section.bptt_length[place + 1 :]
            end = later[0].start if later else 1.0
            shares[stage.length] = shares.get(stage.length, 0.0) + end - stage.start
    bytes_of_one_step = section.batch_size * section.accumulation_steps * bytes_per_token
    return sum(share / length for length, share in shares.items()) / bytes_of_one_step
