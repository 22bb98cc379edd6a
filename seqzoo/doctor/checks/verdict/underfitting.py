"""Whether a run has stopped learning without even fitting its training text.

Method: the run's logged training loss is compared with the order-3 rung. Cost: the ladder, cached.
Pass rule: the mean training loss over the last third of the updates is below what order-3 n-grams
need on held-out text (a table of three bytes of context), or more than 0.02 bits per byte below
that of the third before.
"""

from __future__ import annotations

from seqzoo.doctor.checks.verdict._curve import training_loss, training_steps
from seqzoo.doctor.checks.verdict.even_guess import why_no_better
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_CONTEXT = 3
_LEAST_LINES = 6
_STILL_FALLING = 0.02


def examine(subject: Subject) -> Outcome:
    updates = training_steps(subject, least=_LEAST_LINES)[-1]
    if reason := why_no_better(subject):
        raise Missing(reason)
    last = training_loss(subject, updates * 2 / 3, updates)
    before = training_loss(subject, updates / 3, updates * 2 / 3)
    rungs = [
        rung
        for rung in subject.ladder.rungs
        if rung.context_length == _CONTEXT and not rung.adaptive
    ]
    if not rungs:
        raise Missing("no n-gram baseline of order 3 is installed")
    bar = rungs[0].bits_per_byte["validation"]
    stated = (
        f"training loss {last:.3f} bits per byte over the last third of the updates, "
        f"{before:.3f} over the third before; {rungs[0].name} needs {bar:.3f}"
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
