"""Public faults and healthy controls for the doctor, rebuilt small. One file per kind."""

from __future__ import annotations

from collections.abc import Mapping

from doctor_cases import future, healthy, loss, order, stream
from doctor_cases.case import Case

__all__ = ["KINDS", "Case", "all_cases", "case_named"]

KINDS: Mapping[str, tuple[Case, ...]] = {
    "Order and place": order.CASES,
    "The future": future.CASES,
    "Outputs and loss": loss.CASES,
    "Batches": stream.CASES,
    "Healthy": healthy.CASES,
}
"""The page's tables, in its order."""


def all_cases() -> tuple[Case, ...]:
    """Every case, in the order of the page."""
    return tuple(case for cases in KINDS.values() for case in cases)


def case_named(name: str) -> Case:
    """Raises KeyError for a name that no case has."""
    return {case.name: case for case in all_cases()}[name]
