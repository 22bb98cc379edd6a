"""The laws of schedules of the learning rate."""

from __future__ import annotations

import math

from seqzoo.plugin.contexts import ScheduleContext
from seqzoo.plugin.contracts import Schedule
from seqzoo.plugin.specs import ScheduleSpec
from seqzoo.testing.given import Given
from seqzoo.testing.law import Law, law, require

__all__ = ["GIVEN", "LAWS"]

_LENGTHS = [{"steps": 50, "warmup": 0}, {"steps": 50, "warmup": 5}, {"steps": 1, "warmup": 0}]


class GIVEN(Given[ScheduleSpec]):
    """A schedule with one choice of options."""

    def build(self, warmup: int = 0) -> Schedule:
        """A new schedule."""
        return self.spec.build(self.options, ScheduleContext(warmup_steps=warmup))


@law(
    "schedule.calls",
    says="`factor` is a finite number that is not negative, from the first update to the last",
    cause="a logarithm of zero, a cosine without its sum, or a division by the steps that are left",
    cases=_LENGTHS,
    thorough_cases=[{"steps": 10**6, "warmup": 100}],
    every_option=True,
    is_gate=True,
)
def _calls(given: GIVEN, steps: int, warmup: int) -> None:
    schedule = given.build(warmup)
    require(isinstance(schedule, Schedule), f"`build` returned a {type(schedule).__name__}")
    for step in sorted({0, 1, steps // 3, steps // 2, steps - 1, steps, steps + 1}):
        found = schedule.factor(step, min(1.0, step / steps))
        usable = isinstance(found, (int, float)) and math.isfinite(found) and found >= 0
        require(usable, f"the factor at step {step} of {steps} is {found!r}")


@law(
    "schedule.arguments_alone",
    says="`factor` depends on its arguments alone, so that a resumed run continues the same",
    cause="a counter of calls, the clock, or a random number",
    cases=_LENGTHS,
    every_option=True,
)
def _arguments_alone(given: GIVEN, steps: int, warmup: int) -> None:
    ours, theirs = given.build(warmup), given.build(warmup)
    places = range(steps + 1)
    forwards = [ours.factor(step, step / steps) for step in places]
    backwards = [theirs.factor(step, step / steps) for step in reversed(places)][::-1]
    other = [step for step in places if forwards[step] != backwards[step]]
    require(
        not other,
        f"the factor at step {other[0] if other else 0} depends on the calls before it",
    )


LAWS: tuple[Law, ...] = (_calls, _arguments_alone)
