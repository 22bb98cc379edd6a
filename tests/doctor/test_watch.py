"""The watch names the fault of a training loop, and is silent about healthy ones."""

from __future__ import annotations

import pytest
from faulty_loops import FAULTY
from healthy_loops import HEALTHY
from watched_visits import said, watched


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_loop_has_no_finding(name: str) -> None:
    visit = watched(HEALTHY[name])
    assert visit.errors == []
    assert said(visit) == []


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_named_as_a_cause(name: str) -> None:
    loop, check = FAULTY[name]
    visit = watched(loop)
    assert visit.errors == []
    assert check in dict(said(visit)), said(visit)


@pytest.mark.parametrize(
    "name", ["smaller_last_batch_of_a_model_with_its_own_state", "a_state_that_stays_in_the_model"]
)
def test_a_state_of_another_number_of_rows_is_not_a_second_cause(name: str) -> None:
    visit = watched(FAULTY[name][0])
    assert not any(each.crashed for each in visit.diagnosis.examined)
    assert set(dict(said(visit))) <= {"loop.exception", "model.untouched"}
