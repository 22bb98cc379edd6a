"""Whether a run is better than guessing every token evenly, which a model does before it learns.

Method: the last validation and the last training loss of the run's log are compared with the cost
of an even guess, log2(V) bits per token. Cost: none. Pass rule: the last validation is not more
than half a bit per byte above it (an initial loss may be), and after 200 updates it is 0.1 below it
(the share of each byte alone is worth three bits on English text). What the log shows is said too:
a training loss that is above an even guess became so in training, by updates that are too large;
one that is below it, while validation is above, is of a model that is another one in scoring.
"""

from __future__ import annotations

import math

from seqzoo.doctor.checks.verdict._curve import require_run
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine", "why_no_better"]

_WORSE_BITS = 0.5
_BETTER_BITS = 0.1
_ENOUGH_UPDATES = 200
_SMALLER = 0.1


def examine(subject: Subject) -> Outcome:
    even, last, training = _levels(subject)
    stated = (
        f"{last:.2f} bits per byte after {_updates(subject):,} updates, where an even guess of "
        f"{subject.vocab_size:,} tokens needs {even:.2f}"
    )
    numbers = {"bits_per_byte": last, "even": even}
    if math.isfinite(training):
        numbers["training"] = training
    if not why_no_better(subject):
        return Outcome(status="pass", seen=stated, numbers=numbers)
    if last <= even + _WORSE_BITS:
        return Outcome.failed(
            f"nothing was learnt: {stated}",
            why="The model is no better than one that was never trained, so more of the same "
            "updates change nothing.",
            remedy="Look for the cause without --quick: a learning rate of another order of "
            "magnitude, weights that get no gradient, or batches without a pattern.",
            numbers=numbers,
        )
    if training <= even:
        return Outcome.failed(
            f"worse than an even guess in validation only: {stated}; training loss {training:.2f}",
            why="In training the model has learnt, so in validation it is another model, or reads "
            "another kind of text.",
            remedy="Compare what differs: layers that behave differently in eval mode, a state "
            "that is not carried, the text of the validation split (see model.* above).",
            numbers=numbers,
        )
    return Outcome.failed(
        f"worse than an even guess: {stated}; training loss {_said(training)}",
        why="A new model guesses almost evenly: the updates have made this one worse. Updates "
        "that are too large do that, and a longer training does not make up for them.",
        remedy="Divide the learning rate by 10, and clip the gradient (train.clip_norm=1).",
        changes=_changes(subject),
        numbers=numbers,
    )


def why_no_better(subject: Subject) -> str:
    """Why a run's other verdicts mean nothing, as the reason of a skip; "" if they do."""
    try:
        even, last, _ = _levels(subject)
    except Missing:
        return ""
    is_worse = last > even + _WORSE_BITS
    has_learnt_nothing = _updates(subject) >= _ENOUGH_UPDATES and last > even - _BETTER_BITS
    if is_worse or has_learnt_nothing:
        return "the model is no better than an even guess, see verdict.even_guess"
    return ""


def _levels(subject: Subject) -> tuple[float, float, float]:
    """Bits per byte of an even guess, of the last validation, and of the last training loss."""
    require_run(subject)
    validation, training = (
        [line[name] for line in subject.metrics if name in line]
        for name in ("validation_bits_per_byte", "bits_per_byte")
    )
    if not (validation or training):
        raise Missing("the run has logged no loss")
    even = math.log2(subject.vocab_size) / subject.bytes_per_token
    return even, (validation or training)[-1], training[-1] if training else math.nan


def _updates(subject: Subject) -> int:
    return int(subject.metrics[-1]["step"])


def _said(bits: float) -> str:
    return f"{bits:.2f}" if math.isfinite(bits) else "is not logged"


def _changes(subject: Subject) -> tuple[str, ...]:
    if not subject.has("recipe"):
        return ()
    train = subject.recipe.train
    options = train.optimizer.options
    rates = tuple(
        f"train.optimizer.{rate}={getattr(options, rate) * _SMALLER:.2g}"
        for rate in options.learning_rates
    )
    return rates if train.clip_norm is not None else (*rates, "train.clip_norm=1")
