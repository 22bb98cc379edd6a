"""What the doctor says of a run without trying anything: the checks of how training went."""

from __future__ import annotations

from typing import NamedTuple

from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.diagnosis import diagnose
from seqzoo.doctor.subject import Settings
from seqzoo.doctor.subjects.recipe import subject_of_trained
from seqzoo.runs.reopen import Trained

__all__ = ["Finding", "findings"]

_CHECKS = ("verdict.*",)
"""They read the log and the scores; the others train or compute for up to a minute."""


class Finding(NamedTuple):
    """One check. remedy: what to do; empty where nothing is wrong."""

    status: str
    name: str
    seen: str
    why: str = ""
    remedy: str = ""


def findings(trained: Trained) -> list[Finding]:
    """Every check that could be made, in their order."""
    registry = trained.experiment.registry
    subject = subject_of_trained(trained, title="the run", settings=Settings(quick=True))
    diagnosis = diagnose(subject, select_checks(registry, _CHECKS))
    return [
        Finding(
            each.outcome.status,
            each.check.name,
            each.outcome.seen,
            each.outcome.why,
            each.outcome.remedy,
        )
        for each in diagnosis.examined
        if each.outcome.status != "skip"
    ]
