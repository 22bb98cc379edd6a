"""Whether a run ended while it was still learning.

Method: bytes seen against the training split, and the last fifth of the run's validations beside
the learning rate that was left. Cost: none. Pass rule: the text was read at least once, and where
the learning rate is still above a fifth of its peak, validation fell by less than 0.02 bits per
byte over the last fifth of the updates. (A rate that decays makes the last fifth fall in any run.)
"""

from __future__ import annotations

from seqzoo.doctor.checks.verdict._curve import run_curve
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]


def examine(subject: Subject) -> Outcome:
    curve = run_curve(subject)
    if not _is_finished(subject):
        raise Missing("the run is not finished; 'seqzoo resume' goes on with it")
    lines = [line for line in subject.metrics if "learning_rate" in line]
    size = len(subject.data.splits.training)
    epochs = lines[-1]["bytes"] / size
    rate_left = lines[-1]["learning_rate"] / max(line["learning_rate"] for line in lines)
    fallen = curve.gain_of_last(0.2)
    stated = (
        f"{epochs:.1f} times through the text; validation fell by {fallen:.3f} bits per byte over "
        f"the last fifth, with {rate_left:.0%} of the learning rate left"
    )
    numbers = {"epochs": epochs, "fallen": fallen, "rate_left": rate_left}
    if epochs < 1 or (rate_left > 0.2 and fallen > 0.02):
        return Outcome.warned(
            f"undertrained: {stated}",
            why="The model was still learning, or has not even seen all of the text, when its "
            "budget was spent.",
            remedy="Raise train.budget (twice as much is a good next try); the learning rate's "
            "decay stretches with it.",
            numbers=numbers,
        )
    return Outcome(status="pass", seen=stated, numbers=numbers)


def _is_finished(subject: Subject) -> bool:
    spent = subject.run.effort
    epochs = spent.bytes / len(subject.data.splits.training)
    share = subject.run.experiment.recipe.train.budget.share(
        steps=spent.steps, bytes=spent.bytes, epochs=epochs, seconds=spent.seconds
    )
    # Bytes are rounded where a token is more or less than one.
    return share > 1 - 1e-6


CHECK = Check(
    name="verdict.undertrained",
    summary="the budget was enough for the model to stop learning",
    examine=examine,
    rank=40,
)
