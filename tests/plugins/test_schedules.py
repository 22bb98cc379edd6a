"""The schedules, each compared with its equation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from made_trainings import train_section

from seqzoo import Schedule, ScheduleContext, load_registry

PROGRESS = np.linspace(0, 1, 21)


def made(name: str, *, warmup_steps: int = 0, **options: Any) -> Schedule:
    spec = load_registry().get("schedule", name)
    context = ScheduleContext(warmup_steps=warmup_steps)
    return spec.build(spec.options(**options), context)


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
@pytest.mark.parametrize(
    ("name", "remaining"),
    [
        ("cosine", (1 + np.cos(np.pi * PROGRESS)) / 2),
        ("linear", 1 - PROGRESS),
    ],
)
def test_a_decay_goes_from_1_to_the_final_fraction(
    name: str, remaining: np.ndarray, final: float
) -> None:
    schedule = made(name, final_fraction=final)
    factors = [schedule.factor(3, float(progress)) for progress in PROGRESS]
    np.testing.assert_allclose(factors, final + (1 - final) * remaining, atol=1e-15)


def test_a_constant_rate_stays_whatever_the_final_fraction() -> None:
    schedule = made("constant", final_fraction=0.3)
    assert {schedule.factor(step, progress) for step in (0, 9) for progress in (0.0, 1.0)} == {1.0}


@pytest.mark.parametrize("shape", ["linear", "square_root"])
def test_warmup_stable_decay_falls_only_at_the_end(shape: str) -> None:
    schedule = made("warmup_stable_decay", decay_share=0.25, shape=shape, final_fraction=0.1)
    for progress in PROGRESS:
        done = max(0.0, (progress - 0.75) / 0.25)
        left = 1 - (done**0.5 if shape == "square_root" else done)
        expected = 0.1 + 0.9 * left
        assert schedule.factor(0, float(progress)) == pytest.approx(expected, abs=1e-7)


def test_the_inverse_square_root_is_that_of_the_first_transformer() -> None:
    """Vaswani et al. 2017, equation 3, divided by its value at the end of the warm-up."""
    warmup = 40
    schedule = made("inverse_square_root", warmup_steps=warmup, timescale=warmup)
    for step in range(200):
        count = step + 1
        expected = min(count**-0.5, count * warmup**-1.5) / warmup**-0.5
        found = min(1.0, count / warmup) * schedule.factor(step, 0.5)
        assert found == pytest.approx(expected)


def test_without_a_warm_up_the_inverse_square_root_falls_over_its_timescale() -> None:
    schedule = made("inverse_square_root", timescale=100)
    assert schedule.factor(99, 0.0) == pytest.approx(1 / math.sqrt(2))


def test_a_recipe_without_a_schedule_has_the_cosine_of_the_first_version() -> None:
    schedule = train_section({"budget": {"steps": 1}}).schedule
    assert (schedule.name, schedule.warmup_steps) == ("cosine", 0)
    assert schedule.options.final_fraction == 0.0
