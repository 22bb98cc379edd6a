"""Helpers that examine a model: with the checks of models, or with every check."""

from __future__ import annotations

from typing import Any

from broken_models import TEXT, Plain, Raising, batches, contiguous

from seqzoo.doctor import examine
from seqzoo.doctor.checks import all_checks, select_checks
from seqzoo.doctor.diagnosis import Diagnosis, diagnose
from seqzoo.doctor.subject import Settings, Subject
from seqzoo.doctor.subjects.code import Code, subject_of_code
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.registry import Registry


def run_doctor(model: Any, **further: Any) -> Diagnosis:
    given: dict[str, Any] = {
        "batches": batches,
        "corpus": TEXT,
        "carry_state": False,
        "only": ["model"],
        "show": False,
    }
    return examine(model=model, **(given | further))


def outcome(diagnosis: Diagnosis, name: str) -> Outcome:
    (found,) = [each.outcome for each in diagnosis.examined if each.check.name == name]
    return found


def causes(diagnosis: Diagnosis) -> list[str]:
    return [each.check.name for each in diagnosis.causes]


def reported(diagnosis: Diagnosis) -> list[tuple[str, str, str]]:
    return [
        (each.check.name, each.outcome.status, each.outcome.seen) for each in diagnosis.findings
    ]


def subject_of(registry: Registry, *, quick: bool = False, **given: Any) -> Subject:
    """The plain model on contiguous batches, or what is given; the short training is shorter."""
    usual: dict[str, Any] = {"model": Plain, "batches": contiguous, "corpus": TEXT}
    settings = Settings(quick=quick, seconds=0.2)
    return subject_of_code(Code(**(usual | given)), registry, settings=settings)


def run_all_checks(registry: Registry, *, quick: bool = True, **given: Any) -> Diagnosis:
    """Every check that is quick, or all."""
    return diagnose(subject_of(registry, quick=quick, **given), select_checks(registry))


def run_until_error(registry: Registry, calls: int, error: type[BaseException], **how: Any) -> None:
    left = [calls]
    found = run_all_checks(registry, model=lambda: Raising(left, error), **how)
    assert len(found.examined) == len(all_checks(registry))
    assert left[0] < 0
    assert any(f"{error.__name__}: no more" in each.outcome.seen for each in found.findings)
    if calls < 4:
        assert causes(found) == ["model.contract"]
