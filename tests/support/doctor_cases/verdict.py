"""What a visit of the doctor is worth: the verdict on a case."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch

import seqzoo
from doctor_cases.case import Case
from seqzoo.doctor.diagnosis import Diagnosis, Examined

__all__ = ["BAD", "GOOD", "Visit", "judge", "visit"]

GOOD = ("named", "fine")
BAD = ("symptom", "missed", "false alarm", "crashed")


@dataclass(frozen=True)
class Visit:
    """One examination.

    verdict: of a fault, named, symptom, missed or crashed; of a healthy case, fine, false alarm or
    crashed; skipped if this version of seqzoo cannot examine the case.
    said: the shortest sentence of a cause, or why there is none.
    """

    verdict: str
    said: str


def visit(case: Case, corpus: bytes, *, seed: int, quick: bool) -> Visit:
    """Examine a case. An exception of the doctor is a crash, and not the case's fault."""
    torch.set_num_threads(1)
    try:
        if case.run is not None:
            if not callable(getattr(seqzoo.doctor, "watch", None)):
                return Visit("skipped", "seqzoo.doctor.watch does not exist")
            return judge(case, case.run(corpus, seed))
        arguments = case.arguments(corpus, seed)
        known = inspect.signature(seqzoo.examine).parameters
        if unknown := sorted(set(arguments) - set(known)):
            return Visit("skipped", f"seqzoo.examine has no argument {', '.join(unknown)}")
        return judge(case, seqzoo.examine(**arguments, seed=seed, quick=quick, show=False))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Visit("crashed", f"{type(error).__name__}: {error}")


def judge(case: Case, diagnosis: Diagnosis) -> Visit:
    """The verdict; findings about the machine (`environment.*`) are not about the case."""
    crashed = [each for each in diagnosis.examined if each.crashed and _counts(each)]
    findings = [each for each in diagnosis.findings if _counts(each)]
    causes = [each for each in diagnosis.causes if _counts(each)]
    if crashed:
        return Visit("crashed", f"{crashed[0].check.name}: {crashed[0].outcome.seen}")
    if not findings:
        return Visit("fine" if case.is_healthy else "missed", "")
    if case.is_healthy:
        return Visit("false alarm", _shortest(causes))
    naming = [each for each in causes if _names(case, each)]
    return Visit("named" if naming else "symptom", _shortest(naming or causes))


def _counts(examined: Examined) -> bool:
    return examined.check.group != "environment"


def _names(case: Case, examined: Examined) -> bool:
    outcome = examined.outcome
    text = " ".join((outcome.seen, outcome.why, outcome.remedy))
    is_meant = any(fnmatchcase(examined.check.name, name) for name in case.named_by)
    return is_meant and (
        not case.words or any(re.search(word, text, re.I | re.S) for word in case.words)
    )


def _shortest(causes: list[Examined]) -> str:
    said = [f"{each.check.name}: {each.outcome.seen}" for each in causes]
    return min(said, key=len)
