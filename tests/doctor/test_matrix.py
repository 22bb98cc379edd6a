"""The doctor names the cause of public faults, and says nothing of healthy models.

The cases are in tests/support/doctor_cases; `python docs/doctor_matrix.py` examines them with more
seeds, and in full.
"""

from __future__ import annotations

import pytest
from doctor_cases import KINDS, Case, all_cases, proofs
from doctor_cases.setting import pastiche
from doctor_cases.verdict import GOOD, visit

FAULTY = [case for case in all_cases() if not case.is_healthy]
HEALTHY = [case for case in all_cases() if case.is_healthy and case.make]

_ALWAYS = 1
_LONG = ("a vocabulary of words", "adaptive softmax")


def _parameters(cases: list[Case]) -> list[object]:
    return [pytest.param(case, id=case.name) for case in cases]


def _visited() -> list[object]:
    """Every case: the first of each kind always, and the others if tests may be slow."""
    found: list[object] = []
    for cases in KINDS.values():
        for place, case in enumerate(cases):
            marks = []
            if place >= _ALWAYS or case.name in _LONG:
                marks.append(pytest.mark.slow)
            if not case.is_full:
                found.append(pytest.param(case, id=case.name, marks=marks))
    return found


@pytest.mark.parametrize("case", _visited())
def test_a_fault_is_named_by_its_cause_and_a_healthy_model_by_nothing(case: Case) -> None:
    made = visit(case, pastiche(), seed=1, quick=True)
    if made.verdict == "skipped":
        pytest.skip(made.said)
    assert made.verdict in GOOD, made.said


@pytest.mark.slow
@pytest.mark.parametrize("case", _parameters([case for case in all_cases() if case.is_full]))
def test_a_fault_that_only_training_shows_is_named_in_full(case: Case) -> None:
    made = visit(case, pastiche(), seed=1, quick=False)
    assert made.verdict in GOOD, made.said


@pytest.mark.slow
@pytest.mark.parametrize("case", _parameters([each for each in FAULTY if each.proof]))
def test_the_fault_of_a_case_is_there(case: Case) -> None:
    assert case.proof is not None
    assert case.proof(case.arguments(pastiche(), 1))


@pytest.mark.slow
@pytest.mark.parametrize("case", _parameters(HEALTHY))
def test_a_healthy_case_has_no_fault_that_can_be_shown(case: Case) -> None:
    arguments = case.arguments(pastiche(), 1)
    shown = [proof.__name__ for proof in proofs.HEALTHY_HAS_NONE if proof(arguments)]
    assert shown == []


def test_every_case_has_a_name_of_its_own_a_source_and_a_sentence() -> None:
    names = [case.name for case in all_cases()]
    assert len(set(names)) == len(names)
    for case in all_cases():
        assert case.source
        assert case.is_healthy or case.cause.endswith(".")
