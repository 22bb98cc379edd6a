"""The factor of the learning rate: a warm-up times what a schedule gives."""

from __future__ import annotations

import math
from typing import Any

import pytest

from seqzoo.errors import PluginError
from seqzoo.plugin.contracts import Schedule
from seqzoo.training.schedule import Constant, learning_rate_factor


class Given(Schedule):
    """Gives what it is made with, and records its arguments."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.seen: list[tuple[int, float]] = []

    def factor(self, step: int, progress: float) -> float:
        self.seen.append((step, progress))
        return self.value


def test_the_learning_rate_rises_linearly_in_warm_up() -> None:
    factors = [
        learning_rate_factor(Constant(), warmup_steps=4, step=step, progress=0.0)
        for step in range(6)
    ]
    assert factors == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_the_warm_up_multiplies_the_schedule() -> None:
    factor = learning_rate_factor(Given(0.5), warmup_steps=4, step=0, progress=0.3)
    assert factor == 0.125


def test_a_schedule_gets_a_share_between_0_and_1() -> None:
    schedule = Given(1)
    for progress in (-0.5, 0.25, 1.5):
        learning_rate_factor(schedule, warmup_steps=0, step=7, progress=progress)
    assert schedule.seen == [(7, 0.0), (7, 0.25), (7, 1.0)]


@pytest.mark.parametrize("value", [None, "1", -0.1, math.nan, math.inf])
def test_a_factor_that_is_no_share_names_the_schedule(value: Any) -> None:
    with pytest.raises(PluginError, match=r"the schedule Given gave .* at step 3, expected"):
        learning_rate_factor(Given(value), warmup_steps=0, step=3, progress=0.5)
