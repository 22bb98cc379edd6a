"""What the doctor says of a run from its log alone, without trying anything."""

from __future__ import annotations

from typing import NamedTuple

from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.subject import Missing, Settings
from seqzoo.doctor.subjects.recipe import subject_of_trained
from seqzoo.runs.reopen import Trained

__all__ = ["Finding", "findings"]

_CHECKS = ("verdict.overfitting", "verdict.undertrained")
"""The others train, compute, or score baselines, which can take minutes."""


class Finding(NamedTuple):
    """One check. remedy: what to do; empty where nothing is wrong."""

    status: str
    name: str
    seen: str
    why: str = ""
    remedy: str = ""


def findings(trained: Trained) -> list[Finding]:
    """Every check that could be made, in their order."""
    subject = subject_of_trained(trained, title="the run", settings=Settings(quick=True))
    found = []
    for check in select_checks(trained.experiment.registry, _CHECKS):
        try:
            outcome = check.examine(subject)
        except Missing:  # the log is too short for it
            continue
        if outcome.status != "skip":
            found.append(
                Finding(outcome.status, check.name, outcome.seen, outcome.why, outcome.remedy)
            )
    return found
