"""Public faults and healthy controls for the doctor, rebuilt small. One file per kind."""

from __future__ import annotations

from collections.abc import Mapping

from doctor_cases import (
    decoding,
    forms,
    future,
    healthy_attention,
    healthy_forms,
    healthy_recurrent,
    healthy_training,
    held_out,
    loop_updates,
    loops,
    loss,
    modes,
    optimiser,
    order,
    precision,
    rows,
    state,
    stream,
    symbols,
    weights,
)
from doctor_cases.case import Case

__all__ = ["KINDS", "Case", "all_cases", "case_named"]

KINDS: Mapping[str, tuple[Case, ...]] = {
    "Order and place": order.CASES,
    "The future": future.CASES,
    "Rows of the batch": rows.CASES,
    "State": state.CASES,
    "Weights": weights.CASES,
    "Symbols": symbols.CASES,
    "Precision and finite numbers": precision.CASES,
    "Eval mode": modes.CASES,
    "Outputs and loss": loss.CASES,
    "Batches": stream.CASES,
    "Held-out text": held_out.CASES,
    "Optimizers": optimiser.CASES,
    "Decoding": decoding.CASES,
    "Loops": (*loops.CASES, *loop_updates.CASES),
    "Forms of models and batches": forms.CASES,
    "Healthy: recurrent models": healthy_recurrent.CASES,
    "Healthy: without recurrence": healthy_attention.CASES,
    "Healthy: losses, optimizers and batches": healthy_training.CASES,
    "Healthy: forms of models and batches": healthy_forms.CASES,
}
"""The page's tables, in its order."""


def all_cases() -> tuple[Case, ...]:
    """Every case, in the order of the page."""
    return tuple(case for cases in KINDS.values() for case in cases)


def case_named(name: str) -> Case:
    """Raises KeyError for a name that no case has."""
    return {case.name: case for case in all_cases()}[name]
