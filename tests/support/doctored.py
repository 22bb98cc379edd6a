"""Subjects for tests of the doctor, small and made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.sections import BudgetSection
from seqzoo.training.loop import Effort


def subject(**further: Any) -> Subject:
    """A visit at which nothing is known but what a test gives."""
    return Subject(**{"title": "test", "registry": Registry(), **further})


def check(name: str, outcome: Outcome | BaseException, **further: Any) -> Check:
    """A check that says what it is told to."""

    def examine(_: Subject) -> Outcome:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return Check(name=name, summary="says what it is told to", examine=examine, **further)


def run_of(
    lines: Sequence[Mapping[str, float]],
    *,
    training_bytes: int = 1000,
    is_finished: bool = True,
    **further: Any,
) -> Subject:
    """A run of which only its logged lines are known."""
    data = SimpleNamespace(splits=SimpleNamespace(training=range(training_bytes)))
    last = int(lines[-1]["step"])
    budget = BudgetSection(steps=last if is_finished else 2 * last)
    run = SimpleNamespace(
        experiment=SimpleNamespace(recipe=SimpleNamespace(train=SimpleNamespace(budget=budget))),
        effort=Effort(last, 0, 0.0, 0),
    )
    return subject(run=run, metrics=lines, data=data, **further)
