"""Which baseline the model has come to a halt beside, and what that says about its context.

Method: the held-out curve of the run (or of the trial) is held against the n-gram rungs by
next-byte accuracy, which a short training settles before its bits per byte; and held-out text is
read twice, each byte once with its own past and once with another passage's, which tells what the
context before the current byte is worth to this model. Cost: the trial, the ladder (cached), and
two seconds of reading.

Pass rule: a model is held to be at the rung whose accuracy is nearest when at least 500 updates
have brought it no further than 4 points above that rung, the last half of them less than 2 points,
and its own past is worth less than 0.1 bits per byte to it (an order-2 table gains 0.7 on
Shakespeare; models that have begun to read, 0.6 and more after 50 updates). At a rung that sees at
most two bytes it fails. A finished run that has come to a halt above the order-3 rung without that
is warned of. Before 500 updates every training passes by these rungs, and nothing is said.

Source: Chen and Goodman 1999, doi:10.1006/csla.1999.0128, for the rungs.
"""

from __future__ import annotations

from seqzoo.doctor.checks.verdict._curve import Curve, curve_of
from seqzoo.doctor.evidence.measure import measure_swapped
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome
from seqzoo.results.ladder import Rung

__all__ = ["CHECK"]

_ENOUGH_UPDATES = 500
_NEAR = 0.04
_STILL_RISING = 0.02
_WORTH_SOMETHING = 0.1
_SHORT_CONTEXT = 2
_WORDS = {
    0: "how often each byte occurs, and nothing that was read",
    1: "the current byte and nothing before it",
    2: "the last two bytes and nothing before them",
}


def examine(subject: Subject) -> Outcome:
    curve = curve_of(subject)
    # The best of the last half: a held-out accuracy of a short training swings by points.
    half = len(curve.accuracy) // 2
    accuracy, before = max(curve.accuracy[half:]), max(curve.accuracy[:half])
    rung = _nearest(subject, accuracy)
    worth = _worth_of_context(subject)
    risen, bits = accuracy - before, curve.bits_per_byte[-1]
    rung_accuracy = rung.accuracy["validation"]
    stated = (
        f"accuracy {accuracy:.1%} after {curve.steps[-1]} updates, where {rung.name} has "
        f"{rung_accuracy:.1%}; {bits:.2f} bits per byte, and {worth:.2f} more with another "
        f"passage's past"
    )
    numbers = {
        "accuracy": accuracy,
        "rung_accuracy": rung_accuracy,
        "risen": risen,
        "bits_per_byte": bits,
        "context_worth_bits": worth,
    }
    is_at_rung = (
        curve.steps[-1] >= _ENOUGH_UPDATES
        and accuracy - rung_accuracy < _NEAR
        and risen < _STILL_RISING
        and worth < _WORTH_SOMETHING
    )
    context = rung.context_length
    if is_at_rung and context is not None and context <= _SHORT_CONTEXT:
        return Outcome.failed(
            f"at the {rung.name} rung: {stated}, and {risen * 100:+.1f} points of accuracy came "
            f"with the last half of the updates",
            why=f"The model uses {_WORDS[context]}. Longer training, more units or another "
            f"optimiser do not mend that: what it read before does not reach it.",
            remedy="Look at what feeds the model and how far its gradient reaches (the findings "
            "above, if there are); a healthy pipeline leaves this rung within a minute.",
            numbers=numbers,
            read_more="docs/answer.md",
        )
    if _has_halted_early(subject, curve):
        return Outcome.warned(
            f"come to a halt above order-3: {stated}",
            why="Three bytes of context, counted in a table, predict the text better than this "
            "model does, and it has stopped improving.",
            remedy="Raise the learning rate or its final share, train on longer passages "
            "(train.bptt_length), or give the model more units.",
            numbers=numbers,
        )
    return Outcome(status="pass", seen=stated, numbers=numbers)


def _worth_of_context(subject: Subject) -> float:
    try:
        own, swapped = measure_swapped(subject.learnt, subject.held_out)
    except ValueError as error:
        raise Missing(str(error)) from error
    return (swapped.bits_per_token - own.bits_per_token) / subject.bytes_per_token


def _nearest(subject: Subject, accuracy: float) -> Rung:
    rungs = [
        rung
        for rung in subject.ladder.rungs
        if not rung.adaptive and rung.context_length is not None and "validation" in rung.accuracy
    ]
    if not rungs:
        raise Missing("no n-gram baseline is installed")
    return min(rungs, key=lambda rung: abs(rung.accuracy["validation"] - accuracy))


def _has_halted_early(subject: Subject, curve: Curve) -> bool:
    """Of a finished run alone: a trial is no time to judge by."""
    if curve.of_trial:
        return False
    third = [r for r in subject.ladder.rungs if r.context_length == 3 and not r.adaptive]
    fallen = curve.gain_of_last(0.3)
    return bool(third) and (
        min(curve.bits_per_byte) > third[0].bits_per_byte["validation"] and fallen < 0.01
    )


CHECK = Check(
    name="verdict.rung",
    summary="the model has left the low rungs of the ladder, or is still climbing",
    examine=examine,
    rank=10,
    is_quick=False,
    source="Chen and Goodman 1999, doi:10.1006/csla.1999.0128",
)
