"""Whether gradients in a short training arrive, and have similar sizes.

Method: the trial's gradient norms before clipping, without the first tenth of its updates, in which
they fall from their initial values. Cost: only the trial. Pass rule: none of these. Fail: the
training diverged, or the median norm is 0. Warn: gradients are not clipped and the largest is more
than 30 times the median. Adam divides by a moving root mean square over 1 / (1 - beta2) updates,
usually 1,000: one gradient above sqrt(1,000) = 32 medians dominates that mean and slows down the
updates after it (Pascanu et al. 2013, arXiv:1211.5063, clip for that reason). Clipping every update
is not a fault: AdamW and Muon do not depend on the gradient's scale, so it is only reported.
"""

from __future__ import annotations

import numpy as np

from seqzoo.doctor.checks._shared import advice
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_SPIKE = 30.0
_FEWEST = 20


def examine(subject: Subject) -> Outcome:
    trial = subject.trial
    if trial.diverged:
        return Outcome.failed(
            f"the training ended after {trial.steps} updates: {trial.diverged.rstrip('.')}",
            why="A training cannot continue after numbers that are not finite.",
            remedy="Lower the learning rate, clip gradients, or warm up longer.",
            numbers={"diverged_after": float(trial.steps)},
        )
    norms = np.array(trial.gradient_norms[trial.steps // 10 :])
    if len(norms) < _FEWEST:
        raise Missing(f"{len(norms)} updates are too few to find a spike")
    median, largest = float(np.median(norms)), float(norms.max())
    clip = trial.clip_norm
    clipped = 0.0 if clip is None else float((norms > clip).mean())
    seen = f"median norm {median:.2g}, largest {largest:.2g}"
    if clip is not None:
        seen += f", {clipped:.0%} of the updates clipped at {clip:g}"
    elif subject.has("recipe"):  # the user's own loop may clip, which is not known here
        seen += ", never clipped"
    numbers = {"median": median, "largest": largest, "clipped": clipped}
    if median == 0:
        return Outcome.failed(
            seen,
            why="No gradient arrives, so nothing is learnt.",
            remedy="Look for detached tensors, frozen parameters, and units that are all flat.",
            numbers=numbers,
        )
    if clip is None and largest > _SPIKE * median:
        norm = _rounded(2 * median)
        return Outcome.warned(
            seen,
            why="One such gradient moves the weights too far, or dominates Adam's second moment "
            "and slows down the next thousand updates.",
            remedy=advice(
                subject,
                recipe=f"Clip gradients: train.clip_norm={norm:g}, twice the median.",
                code="Clip gradients, if your loop does not do it yet, at about twice the median: "
                f"torch.nn.utils.clip_grad_norm_(model.parameters(), {norm:g}).",
            ),
            changes=(f"train.clip_norm={norm:g}",) if subject.has("recipe") else (),
            numbers=numbers,
        )
    return Outcome.passed(seen, **numbers)


def _rounded(value: float) -> float:
    return float(f"{value:.1g}")
