"""Whether a run ended while it was still learning.

Method: the bytes that were read compared with the training split, and the last fifth of the run's
validations with the learning rate at the end. Cost: none. Pass rule: the text was read at least
once, and if the learning rate is still above a fifth of its peak, validation fell by less than 0.02
bits per byte over the last fifth of the updates. (While the rate decays, the loss falls in any
run.)
"""

from __future__ import annotations

from seqzoo.doctor.checks.verdict._curve import run_curve
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]


def examine(subject: Subject) -> Outcome:
    curve = run_curve(subject)
    if not _is_finished(subject):
        raise Missing("the run is not finished; 'seqzoo resume' continues it")
    lines = [line for line in subject.metrics if "learning_rate" in line]
    size = len(subject.data.splits.training)
    epochs = lines[-1]["bytes"] / size
    highest = max(line["learning_rate"] for line in lines)
    # A short run may have logged its last update only, whose rate can be 0.
    rate_left = lines[-1]["learning_rate"] / highest if highest else 0.0
    fallen = curve.gain_of_last(0.2)
    stated = (
        f"the text was read {epochs:.1f} times; validation fell by {fallen:.3f} bits per byte over "
        f"the last fifth, with {rate_left:.0%} of the learning rate left"
    )
    numbers = {"epochs": epochs, "fallen": fallen, "rate_left": rate_left}
    if epochs < 1 or (rate_left > 0.2 and fallen > 0.02):
        return Outcome.warned(
            f"undertrained: {stated}",
            why="When the budget ended, the model was still learning, or had not seen all of the "
            "text.",
            remedy="Increase train.budget (twice as much is a good next try); the decay of the "
            "learning rate is stretched with it.",
            numbers=numbers,
        )
    return Outcome(status="pass", seen=stated, numbers=numbers)


def _is_finished(subject: Subject) -> bool:
    spent = subject.run.effort
    epochs = spent.bytes / len(subject.data.splits.training)
    share = subject.run.experiment.recipe.train.budget.share(
        steps=spent.steps, bytes=spent.bytes, epochs=epochs, seconds=spent.seconds
    )
    # The number of bytes is rounded if a token is not one byte.
    return share > 1 - 1e-6


CHECK = Check(
    name="verdict.undertrained",
    summary="the budget was enough for the model to stop learning",
    examine=examine,
    rank=40,
)
