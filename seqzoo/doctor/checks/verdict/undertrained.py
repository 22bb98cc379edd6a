"""Whether a run ended while it was still learning.

Method: the bytes that were read compared with the training split, and the fall of the validation
score over the last fifth of the updates with the learning rate at the end. Cost: none. Pass rule:
the text was read at least once, and if the learning rate is still above a fifth of its peak,
validation fell by less than 0.02 bits per byte over the last fifth of the updates. (While the rate
decays, the loss falls in any run.) A run whose rate has decayed ended as planned, and passes from
half of the text on: below that, twice the budget, which is the remedy, would not read it once.
"""

from __future__ import annotations

import math

from seqzoo.doctor.checks.verdict._curve import require_run, run_curve, training_steps
from seqzoo.doctor.checks.verdict.even_guess import why_no_better
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_WINDOW = 0.2
_RATE_LEFT = 0.2
_STILL_FALLING = 0.02


def examine(subject: Subject) -> Outcome:
    require_run(subject)
    if not _is_finished(subject):
        raise Missing("the run is not finished; 'seqzoo resume' continues it")
    training_steps(subject)  # raises Missing if no training is logged
    if reason := why_no_better(subject):
        raise Missing(reason)
    lines = [line for line in subject.metrics if "learning_rate" in line]
    epochs = lines[-1]["bytes"] / len(subject.data.splits.training)
    highest = max(line["learning_rate"] for line in lines)
    # A short run may have logged its last update only, whose rate can be 0.
    rate_left = lines[-1]["learning_rate"] / highest if highest else 0.0
    is_decayed = rate_left <= _RATE_LEFT
    fallen, is_measured = _fallen(subject)
    stated = (
        f"the text was read {epochs:.2f} times, and {rate_left:.0%} of the learning rate was left "
        f"at the end"
    )
    numbers = {"epochs": epochs, "rate_left": rate_left}
    if is_measured:
        stated += f"; validation fell by {fallen:.3f} bits per byte over the last fifth"
        numbers["fallen"] = fallen
    is_read = epochs >= (0.5 if is_decayed else 1)
    still_falls = not is_decayed and fallen > _STILL_FALLING
    if is_read and still_falls and not is_measured:
        updates = subject.run.effort.steps
        raise Missing(
            f"{stated}; there are too few validations to say whether the score still fell over "
            f"the last fifth; set train.validation.every_steps to {max(1, updates // 5)} or less"
        )
    if not is_read or still_falls:
        return Outcome.warned(
            f"undertrained: {stated}",
            why="When the budget ended, the model was still learning, or had not seen all of the "
            "text.",
            remedy="Increase train.budget (twice as much is a good next try); the decay of the "
            "learning rate is stretched with it.",
            numbers=numbers,
        )
    return Outcome(status="pass", seen=stated, numbers=numbers)


def _fallen(subject: Subject) -> tuple[float, bool]:
    """The fall over the last fifth, and whether it was measured; else it is at most that."""
    try:
        curve = run_curve(subject)
    except Missing:
        return math.inf, False
    measured = curve.fall_over_last(_WINDOW, least=2)
    if measured is not None:
        return measured, True
    at_most = curve.fall_over_last(_WINDOW)
    return math.inf if at_most is None else at_most, False


def _is_finished(subject: Subject) -> bool:
    spent = subject.run.effort
    # The number of bytes is rounded if a token is not one byte.
    epochs = (spent.bytes + 0.5) / len(subject.data.splits.training)
    share = subject.run.experiment.recipe.train.budget.share(
        steps=spent.steps, bytes=spent.bytes, epochs=epochs, seconds=spent.seconds
    )
    return share >= 1
