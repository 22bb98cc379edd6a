"""Whether a run has stopped learning without even fitting its training text.

Method: the run's logged training loss is compared with the order-3 rung. Cost: the ladder, cached.
Pass rule: training loss is below what order-3 n-grams need on held-out text (a table of three bytes
of context), or it still falls by more than 0.02 bits per byte over the last third.
"""

from __future__ import annotations

from seqzoo.doctor.checks.verdict._curve import run_curve
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]

_CONTEXT = 3
_STILL_FALLING = 0.02


def examine(subject: Subject) -> Outcome:
    run_curve(subject)  # raises Missing if there is no run to judge
    lines = [line for line in subject.metrics if "bits_per_byte" in line]
    third = max(1, len(lines) // 3)
    if len(lines) < 6:
        raise Missing("the run has logged too few lines to judge")
    last = sum(line["bits_per_byte"] for line in lines[-third:]) / third
    before = sum(line["bits_per_byte"] for line in lines[-2 * third : -third]) / third
    rungs = [
        rung
        for rung in subject.ladder.rungs
        if rung.context_length == _CONTEXT and not rung.adaptive
    ]
    if not rungs:
        raise Missing("no n-gram baseline of order 3 is installed")
    bar = rungs[0].bits_per_byte["validation"]
    stated = (
        f"training loss {last:.3f} bits per byte over the last third, {before:.3f} over the one "
        f"before; {rungs[0].name} needs {bar:.3f}"
    )
    numbers = {"training": last, "fallen": before - last, "rung": bar}
    if last > bar and before - last < _STILL_FALLING:
        return Outcome.warned(
            f"underfitting: {stated}",
            why="The model does not even fit the text that it is trained on: it needs more units, "
            "steps of the right size, or memory. More text or dropout would not help.",
            remedy="Increase the learning rate (see optimisation.learning_rate), the number of "
            "units, or train.bptt_length; reduce dropout.",
            numbers=numbers,
        )
    return Outcome(status="pass", seen=stated, numbers=numbers)


CHECK = Check(
    name="verdict.underfitting",
    summary="training loss falls below that of a short n-gram table",
    examine=examine,
    rank=30,
)
