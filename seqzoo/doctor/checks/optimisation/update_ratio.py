"""How far one update moves each matrix.

Method: |change| / |weights| of each matrix, in every 25th update of the trial; the median of the
later half. The rule of thumb is about 1e-3 (Karpathy 2015, CS231n). Cost: only the trial. Pass
rule: none of these. Warn: above 0.5, because two updates then replace what was learnt before; below
1e-6, because a change is then a few units in the last place of float32 (6e-8) and 10,000 updates in
one direction move the matrix by a hundredth; exactly 0, because it then never moves.
"""

from __future__ import annotations

import numpy as np

from seqzoo.doctor.checks._shared import advice
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_LARGEST = 0.5
_SMALLEST = 1e-6


def examine(subject: Subject) -> Outcome:
    ratios = {
        name: float(np.median(each[len(each) // 2 :]))
        for name, each in subject.trial.update_ratios.items()
        if each
    }
    if not ratios:
        raise Missing("no update was measured")
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
            "If a few updates replace a matrix, what was learnt before is lost."
            if too_far
            else "At this pace the matrix stays as it was initialised."
        ),
        remedy=(
            advice(
                subject,
                recipe=f"Lower {_rates(subject)}.",
                code="Lower the optimizer's learning rate.",
            )
            if too_far
            else f"Check that {slowest} is used in forward and given to the optimizer; then raise "
            + advice(subject, recipe="train.optimizer.learning_rate.", code="its learning rate.")
        ),
        numbers=numbers,
    )


def _rates(subject: Subject) -> str:
    """The settings that are learning rates."""
    if not subject.has("recipe"):
        return ""
    rates = subject.recipe.train.optimizer.options.learning_rates
    return " and ".join(f"train.optimizer.{rate}" for rate in rates)
