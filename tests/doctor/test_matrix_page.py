"""The verdict on a visit, and the page of all verdicts."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from commands import REPOSITORY
from doctor_cases import Case, all_cases
from doctor_cases.verdict import Visit, judge, visit

from seqzoo.doctor.diagnosis import Diagnosis, Examined
from seqzoo.plugin.check import Check, Outcome

if TYPE_CHECKING:
    import doctor_matrix
else:
    sys.path.insert(0, str(REPOSITORY / "docs"))
    try:
        doctor_matrix = importlib.import_module("doctor_matrix")
    finally:
        sys.path.remove(str(REPOSITORY / "docs"))

FAULT = Case(
    name="a fault",
    source="a report",
    cause="Something is wrong.",
    named_by=("stream.targets", "loop.*"),
    words=(r"shift",),
    make=lambda setting: {},
)
HEALTHY = Case(name="a sound model", source="a page", make=lambda setting: {})


def examined(name: str, *, seen: str = "it is shifted", crashed: bool = False) -> Examined:
    check = Check(name=name, summary="", examine=lambda subject: Outcome.passed(""))
    return Examined(check, Outcome.failed(seen, why="", remedy=""), 0.0, crashed)


def verdict(
    case: Case, *found: Examined, explained: Mapping[str, tuple[str, ...]] | None = None
) -> str:
    return judge(case, Diagnosis("", found, dict(explained or {}))).verdict


def test_a_fault_is_named_by_its_check_with_its_words_and_by_no_other() -> None:
    assert verdict(FAULT, examined("stream.targets")) == "named"
    assert verdict(FAULT, examined("loop.loss")) == "named"
    assert verdict(FAULT, examined("stream.targets", seen="it is strange")) == "symptom"
    assert verdict(FAULT, examined("model.loss")) == "symptom"
    assert verdict(FAULT) == "missed"


def test_a_consequence_does_not_name_a_fault() -> None:
    found = (examined("stream.aliasing"), examined("stream.targets"))
    explained = {"stream.targets": ("stream.aliasing",)}
    assert verdict(FAULT, *found, explained=explained) == "symptom"


def test_a_crashed_check_is_a_crash_even_if_the_fault_is_named() -> None:
    crashed = examined("model.state", crashed=True)
    assert verdict(FAULT, examined("stream.targets"), crashed) == "crashed"
    assert verdict(HEALTHY, crashed) == "crashed"


def test_any_finding_is_a_false_alarm_except_those_about_the_machine() -> None:
    assert verdict(HEALTHY, examined("model.loss")) == "false alarm"
    assert verdict(HEALTHY, examined("environment.threads")) == "fine"
    assert verdict(FAULT, examined("environment.threads")) == "missed"


def test_an_exception_of_the_doctor_is_a_crash() -> None:
    def make(setting: object) -> dict[str, object]:
        raise RuntimeError("no")

    raises = Case(name="raises", source="a report", make=make)
    made = visit(raises, b"text", seed=1, quick=True)
    assert made == Visit("crashed", "RuntimeError: no")


def test_a_page_is_read_as_it_was_written() -> None:
    said = "stream.targets: a | and\na new line"
    row = doctor_matrix.Row(said, Counter({"named": 2, "missed": 1}), Counter({"false alarm": 1}))
    rows = {case.name: row for case in all_cases()}
    read = doctor_matrix.read_page("".join(doctor_matrix.page(rows, 3)))
    assert list(read) == [case.name for case in all_cases()]
    for each in read.values():
        assert (each.quick, each.full) == (row.quick, row.full)
        assert each.said == "stream.targets: a | and a new line"


def test_the_page_counts_the_full_visits_alone_of_what_only_training_shows() -> None:
    (case,) = [case for case in all_cases() if case.is_full][:1]
    row = doctor_matrix.Row("", Counter({"missed": 3}), Counter({"named": 1}))
    text = "".join(doctor_matrix.page({case.name: row}, 3))
    assert "Recall by cause: 1.00" in text
    assert "In 1 of 1 visits" in text


def test_a_row_keeps_what_the_other_mode_said() -> None:
    quick = doctor_matrix.Row("quick", Counter({"missed": 3}), Counter())
    full = doctor_matrix.Row("full", Counter(), Counter({"named": 1}))
    both = doctor_matrix.Row("quick", Counter({"missed": 3}), Counter({"named": 1}))
    assert full.beside(quick) == both
    assert quick.beside(full) == both
    assert quick.beside(None) == quick


@pytest.mark.parametrize("wrong", [{"cause": "A cause."}, {"named_by": ("model.loss",)}])
def test_a_case_has_both_a_cause_and_the_check_that_names_it(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="both a cause and named_by"):
        Case(name="half", source="a report", make=lambda setting: {}, **wrong)  # type: ignore[arg-type]
