"""How far one update moves each matrix.

Method: |change| / |weights| of each matrix, looked at in every 25th update of the trial; the median
of the later half. About 1e-3 is the usual rule of thumb (Karpathy 2015, CS231n). Cost: none beside
the trial. Pass rule: none of these. Warn: above 0.5, where two updates replace what all before them
learnt; below 1e-6, where a change is a few units of float32's last place (6e-8) and 10,000 updates
in one direction move the matrix by a hundredth; exactly 0, where it never moves.
"""

from __future__ import annotations

import numpy as np

from seqzoo.doctor.checks._shared import worded
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]

_LARGEST = 0.5
_SMALLEST = 1e-6


def examine(subject: Subject) -> Outcome:
    ratios = {
        name: float(np.median(each[len(each) // 2 :]))
        for name, each in subject.trial.update_ratios.items()
        if each
    }
    if not ratios:
        raise Missing("no update was looked at")
    slowest, fastest = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
    seen = (
        f"an update moves a matrix by {ratios[slowest]:.1e} ({slowest}) to {ratios[fastest]:.1e} "
        f"({fastest}) of its size"
    )
    numbers = {"smallest": ratios[slowest], "largest": ratios[fastest]}
    too_far = ratios[fastest] > _LARGEST or not np.isfinite(ratios[fastest])
    if not too_far and ratios[slowest] >= _SMALLEST:
        return Outcome.passed(seen, **numbers)
    return Outcome.warned(
        seen,
        why=(
            "What a few updates replace keeps nothing of what was learnt before."
            if too_far
            else "At this pace the matrix stays what it was initialised to."
        ),
        remedy=(
            worded(
                subject,
                recipe="Lower train.optimizer.learning_rate (matrix_learning_rate with muon).",
                code="Lower the optimizer's learning rate.",
            )
            if too_far
            else f"See whether {slowest} is used in forward and given to the optimizer; then raise "
            + worded(subject, recipe="train.optimizer.learning_rate.", code="its learning rate.")
        ),
        numbers=numbers,
    )


CHECK = Check(
    name="optimisation.update_ratio",
    summary="updates move every matrix, and none too far",
    examine=examine,
    rank=40,
    is_quick=False,
    explains=("verdict.*",),
    source="Karpathy 2015, CS231n: ratio of weights and updates",
)
