"""The report for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from seqzoo.doctor.diagnosis import Diagnosis, Examined
from seqzoo.version import __version__

__all__ = ["as_json"]


def as_json(diagnosis: Diagnosis, *, fixed: str | None) -> str:
    """Every check with its outcome; the findings' names, causes first; the fixed recipe."""
    return json.dumps(
        {
            "version": 1,
            "seqzoo": __version__,
            "subject": diagnosis.title,
            "is_healthy": diagnosis.is_healthy,
            "causes": [each.check.name for each in diagnosis.causes],
            "findings": [each.check.name for each in diagnosis.findings],
            "checks": [_examined(diagnosis, each) for each in diagnosis.examined],
            "fixed_recipe": fixed,
        },
        indent=2,
        allow_nan=False,
    )


def _examined(diagnosis: Diagnosis, each: Examined) -> dict[str, Any]:
    outcome = each.outcome
    return {
        "name": each.check.name,
        "group": each.check.group,
        "summary": each.check.summary,
        "status": outcome.status,
        "crashed": each.crashed,
        "seen": outcome.seen,
        "why": outcome.why,
        "remedy": outcome.remedy,
        "changes": list(outcome.changes),
        "follows_from": list(diagnosis.explained.get(each.check.name, ())),
        "numbers": _finite(outcome.numbers),
        "read_more": outcome.read_more,
        "source": each.check.source,
        "seconds": round(each.seconds, 3),
    }


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no infinity and no NaN: both are null."""
    return {name: float(value) if math.isfinite(value) else None for name, value in numbers.items()}
