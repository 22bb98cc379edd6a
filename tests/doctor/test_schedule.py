"""A schedule is judged by the rate of its updates, whatever the unit of the budget."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from small_networks import HEALTHY, check_of

from seqzoo import Schedule, ScheduleSpec, hookimpl
from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.diagnosis import diagnose
from seqzoo.doctor.subjects.recipe import subject_of_recipe
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.registry import Owner, Registry
from seqzoo.recipes.load import load_recipe


class Falling(Schedule):
    """A rate of almost nothing from the first update on."""

    def factor(self, step: int, progress: float) -> float:
        return 1e-3 * (1 - progress)


@pytest.mark.parametrize("budget", ["{steps: 1}", "{bytes: 40000}", "{epochs: 2}", "{seconds: 9}"])
def test_a_schedule_whose_updates_are_all_at_rate_0_is_named(
    budget: str, registry: Registry
) -> None:
    spec = ScheduleSpec(name="falling", summary="too low", build=lambda *_: Falling())
    other = registry.trusting()
    other.add(
        SimpleNamespace(register_schedules=hookimpl(lambda: [spec])), Owner("a test's own schedule")
    )

    def found(decay: str) -> Outcome:
        overrides = [f"train.budget={budget}", f"train.schedule={{decay: {decay}}}"]
        recipe = load_recipe(HEALTHY, other, overrides=overrides)
        return check_of("optimisation.schedule")(subject_of_recipe(recipe, title=""))

    assert found("falling").status == "fail"
    assert "with falling" in found("falling").seen
    for decay in ("cosine", "linear", "constant", "inverse_square_root", "warmup_stable_decay"):
        assert found(decay).status == "pass"


def test_a_warm_up_that_never_begins_explains_the_rate_of_0(registry: Registry) -> None:
    overrides = ["train.budget={steps: 3}", "train.schedule.warmup_steps=1000"]
    subject = subject_of_recipe(load_recipe(HEALTHY, registry, overrides=overrides), title="")
    both = select_checks(registry, ["optimisation.warmup", "optimisation.schedule"])
    found = diagnose(subject, both)
    assert [each.check.name for each in found.causes] == ["optimisation.warmup"]
    assert found.explained == {"optimisation.schedule": ("optimisation.warmup",)}
    fixed = [*overrides, *found.causes[0].outcome.changes]
    again = subject_of_recipe(load_recipe(HEALTHY, registry, overrides=fixed), title="")
    assert diagnose(again, both).is_healthy
