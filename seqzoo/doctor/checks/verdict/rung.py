"""At which baseline the model has stopped improving, and what that says about its context.

Method: the held-out curve of the run (or of the trial) is compared with the n-gram rungs by
next-byte accuracy, which settles before bits per byte in a short training; and held-out text is
read twice, each byte once with its own past and once with the past of another passage, which shows
what the context before the current byte is worth to this model. Cost: the trial, the ladder
(cached), and two seconds of reading.

Pass rule: a model is at the rung with the nearest accuracy if after at least 500 updates it is not
more than 4 points above that rung, gained less than 2 points in the last half of them, and its own
past is worth less than 0.1 bits per byte (an order-2 table gains 0.7 on Shakespeare; models that
use their context, 0.6 and more after 50 updates). At a rung that sees at most two bytes it fails.
A watched loop that reads this text also fails if its model became worse than an even guess.
Warn: a finished run has stopped improving with more bits per byte than the order-3 rung. Before 500
updates every training passes these rungs, and nothing is reported.

Source: Chen and Goodman 1999, doi:10.1006/csla.1999.0128, for the rungs.
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from seqzoo.doctor.checks.verdict._curve import Curve, curve_of
from seqzoo.doctor.checks.verdict.even_guess import why_no_better
from seqzoo.doctor.evidence.measure import measure_swapped
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome
from seqzoo.results.ladder import Rung

__all__ = ["examine"]

_ENOUGH_UPDATES = 500
_NEAR = 0.04
_STILL_RISING = 0.02
_WORTH_SOMETHING = 0.1
_SHORT_CONTEXT = 2
_WORSE_BITS = 0.5
_DISTINCT = 12
_ROWS = 16
_WORDS = {
    0: "how often each byte occurs, and nothing that was read",
    1: "the current byte and nothing before it",
    2: "the last two bytes and nothing before them",
}


def examine(subject: Subject) -> Outcome:
    curve = curve_of(subject)
    # The best of each half: the accuracy of a short training varies by some points.
    accuracy, before = _best_of_halves(curve)
    rung = _nearest(subject, accuracy)
    worth = _worth_of_context(subject)
    risen, bits = accuracy - before, curve.bits_per_byte[-1]
    rung_accuracy = rung.accuracy["validation"]
    stated = (
        f"accuracy {accuracy:.1%} after {curve.steps[-1]} updates, where {rung.name} has "
        f"{rung_accuracy:.1%}; {bits:.2f} bits per byte, and {worth:.2f} more with the "
        f"past of another passage"
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
    if _became_worse(subject, curve):
        return Outcome.failed(
            f"worse than an even guess, and than before the loop ({curve.bits_per_byte[0]:.2f} "
            f"bits per byte): {stated}",
            why="The updates have made the model worse on text of the same corpus.",
            remedy="Look at the sign of the loss, at maximize=True, and at the learning rate.",
            numbers=numbers,
        )
    context = rung.context_length
    if is_at_rung and context is not None and context <= _SHORT_CONTEXT:
        return Outcome.failed(
            f"at the {rung.name} rung: {stated}, and {risen * 100:+.1f} points of accuracy came "
            f"with the last half of the updates",
            why=f"The model uses {_WORDS[context]}. Longer training, more units or another "
            "optimizer do not fix that: earlier text has no effect on its predictions.",
            remedy="Check the batches and how far the gradient reaches (see the findings above, if "
            "there are any); a healthy pipeline leaves this rung within a minute.",
            numbers=numbers,
            read_more="docs/answer.md",
        )
    if _has_stopped_early(subject, curve) and not why_no_better(subject):
        return Outcome.warned(
            f"no longer improving, and worse than an order-3 table: {stated}",
            why="A table of three bytes of context predicts the text better than this model, and "
            "the model has stopped improving.",
            remedy="Increase the learning rate or its final fraction, train on longer passages "
            "(train.bptt_length), or give the model more units.",
            numbers=numbers,
        )
    return Outcome(status="pass", seen=stated, numbers=numbers)


def _became_worse(subject: Subject, curve: Curve) -> bool:
    """Of a watched loop that reads the corpus in the ids in which held-out text is scored."""
    if not subject.has("visit"):
        return False
    even = math.log2(subject.vocab_size) / subject.bytes_per_token
    limit = max(even, curve.bits_per_byte[0]) + _WORSE_BITS
    if curve.bits_per_byte[-1] <= limit:
        return False
    text = np.asarray(subject.tokens, np.int64).tobytes()
    given = (each.ids for each in subject.visit.forwards if each.ids is not None)
    rows = [row for ids in given for row in (*_long(ids), *_long(ids.T))][:_ROWS]
    return any(row.contiguous().numpy().tobytes() in text for row in rows)


def _long(ids: Tensor) -> Tensor:
    return ids[:2] if ids.ndim == 2 and ids.shape[1] >= _DISTINCT else ids[:0]


def _best_of_halves(curve: Curve) -> tuple[float, float]:
    """The best accuracy in the last half of the updates, and in the first."""
    middle = curve.steps[-1] / 2
    pairs = list(zip(curve.steps, curve.accuracy, strict=True))
    first = [accuracy for step, accuracy in pairs if step <= middle]
    if not first:
        raise Missing(
            f"no score was measured in the first half of the updates; set "
            f"train.validation.every_steps to {max(1, int(middle))} or less"
        )
    return max(accuracy for step, accuracy in pairs if step > middle), max(first)


def _worth_of_context(subject: Subject) -> float:
    try:
        own, swapped = measure_swapped(subject.trained_network, subject.held_out)
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


def _has_stopped_early(subject: Subject, curve: Curve) -> bool:
    """Only for a run: a trial is too short to judge."""
    if curve.of_trial:
        return False
    third = [r for r in subject.ladder.rungs if r.context_length == 3 and not r.adaptive]
    fallen = curve.fall_over_last(0.3)
    return bool(third) and (
        min(curve.bits_per_byte) > third[0].bits_per_byte["validation"]
        and fallen is not None
        and fallen < 0.01
    )
