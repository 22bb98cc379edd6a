"""Whether the gradients of a short training are of one size, and arrive at all.

Method: the trial's gradient norms before clipping, the first tenth of its updates left out, where
they fall from what initialisation made them. Cost: none beside the trial. Pass rule: neither of
these. Fail: the training diverged, or the median norm is 0. Warn: gradients are not clipped and the
largest is over 30 times the median. Adam divides by a moving root mean square over 1 / (1 - beta2)
updates, 1,000 as it is mostly set: one gradient above sqrt(1,000) = 32 medians rules that mean, and
everything learnt in the updates after it is slowed down by it (Pascanu et al. 2013,
arXiv:1211.5063, clip for that reason). Clipping every update is no fault: AdamW and Muon do not
heed the gradient's scale, so it is told and not judged.
"""

from __future__ import annotations

import numpy as np

from seqzoo.doctor.checks._shared import is_recipe, worded
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]

_SPIKE = 30.0
_FEWEST = 20


def examine(subject: Subject) -> Outcome:
    trial = subject.trial
    if trial.diverged:
        return Outcome.failed(
            f"the training ended after {trial.steps} updates: {trial.diverged.rstrip('.')}",
            why="Numbers that are not finite end a training for good.",
            remedy="Lower the learning rate, clip gradients, or warm up longer.",
            numbers={"diverged_after": float(trial.steps)},
        )
    norms = np.array(trial.gradient_norms[trial.steps // 10 :])
    if len(norms) < _FEWEST:
        raise Missing(f"{len(norms)} updates are too few to tell a spike")
    median, largest = float(np.median(norms)), float(norms.max())
    clip = trial.clip_norm
    clipped = 0.0 if clip is None else float((norms > clip).mean())
    seen = f"median norm {median:.2g}, largest {largest:.2g}"
    if clip is not None:
        seen += f", {clipped:.0%} of the updates clipped at {clip:g}"
    elif is_recipe(subject):  # a loop of one's own may clip, which is not known here
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
            why="One such gradient throws the weights far off, or rules Adam's second moment and "
            "slows down a thousand updates after it.",
            remedy=worded(
                subject,
                recipe=f"Clip gradients: train.clip_norm={norm:g}, twice the median.",
                code="Clip gradients where your loop does not yet, at about twice the median: "
                f"torch.nn.utils.clip_grad_norm_(model.parameters(), {norm:g}).",
            ),
            changes=(f"train.clip_norm={norm:g}",) if is_recipe(subject) else (),
            numbers=numbers,
        )
    return Outcome.passed(seen, **numbers)


def _rounded(value: float) -> float:
    return float(f"{value:.1g}")


CHECK = Check(
    name="optimisation.gradient_norm",
    summary="gradients arrive and none towers over the others",
    examine=examine,
    rank=30,
    is_quick=False,
    explains=("optimisation.update_ratio", "optimisation.dead_units", "verdict.*", "decoding.*"),
    source="Pascanu et al. 2013, arXiv:1211.5063",
)
