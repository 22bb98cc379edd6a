"""Whether a run has begun to learn its training text by heart.

Method: the run's logged validations, and its training loss before the best and before the last of
them, each a mean over as many updates as there are between two validations. Cost: none. Pass rule:
the last validation is no more than 0.02 bits per byte above the best one, or the training loss has
not fallen since then (0.02 is about the difference between two seeds on a split of 50 kB).
"""

from __future__ import annotations

from seqzoo.doctor.checks.verdict._curve import run_curve, training_loss, training_steps
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_NOISE_BITS = 0.02


def examine(subject: Subject) -> Outcome:
    curve = run_curve(subject, least=3)
    best_step, best = curve.steps[curve.best], curve.bits_per_byte[curve.best]
    risen = curve.bits_per_byte[-1] - best
    training_steps(subject)  # raises Missing if none is logged
    gap = curve.steps[-1] / len(curve.steps)
    at_best, last = (
        training_loss(subject, max(step - gap, 0.0), step) for step in (best_step, curve.steps[-1])
    )
    stated = (
        f"validation was lowest at update {best_step} ({best:.3f}) and is "
        f"{curve.bits_per_byte[-1]:.3f} at {curve.steps[-1]}; training {at_best:.3f} and {last:.3f}"
    )
    numbers = {"risen": risen, "best_step": best_step, "gap": curve.bits_per_byte[-1] - last}
    if risen > _NOISE_BITS and last < at_best:
        return Outcome.warned(
            f"overfitting: {stated}",
            why="Since then the model has become better on the text that it sees many times, and "
            "worse on text that it does not see: it learns by heart.",
            remedy=f"Stop at about {best_step} updates (scoring and sampling use the best "
            "checkpoint anyway), increase dropout or train.optimizer.weight_decay, or use fewer "
            "units.",
            changes=(f"train.budget={{steps: {best_step}}}",),
            numbers=numbers,
        )
    return Outcome(status="pass", seen=stated, numbers=numbers)
