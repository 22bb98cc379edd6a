"""Whether the logits at a place depend on the token of that place.

Method: random tokens (4, T) in eval mode; one token in the middle is replaced, and the first place
is sought whose logits change. Cost: two passes. Pass rule: it is the place of the token itself. If
the logits change only later, the model delays its input: it predicts the next token without the
current one. That is right only if the batches are not shifted, so that targets are the inputs
themselves. Source: the chain rule of probability: the logits at t are for token t + 1, given all
tokens up to t.
"""

from __future__ import annotations

from seqzoo.doctor.checks.model._delay import delay
from seqzoo.doctor.checks.stream._offsets import likely_offset
from seqzoo.doctor.subject import Missing, Subject, or_none
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    late = delay(subject)
    if late is None:
        raise Missing("the logits depend on no token (see model.contract)")
    if late == 0:
        return Outcome.passed("a token changes the logits at its own place", delay=0.0)
    recording = or_none(lambda: subject.recording)
    offset = None if recording is None else likely_offset(recording)
    if offset == 1 - late:
        return Outcome.passed(
            f"the logits begin to change {late} later, and the targets are the inputs: the shift "
            f"is made in the model",
            delay=float(late),
        )
    return Outcome.failed(
        f"the current token has no influence on its own logits: they change {late} "
        f"token{'s' * (late > 1)} too late",
        why="The model predicts the next token without the current one, which says most about it: "
        "the inputs are shifted in the model, and the targets once more in the batches.",
        remedy="Shift only once: let the model read the tokens as they are (no padding on the left "
        "of the inputs, no mask that hides the current token: triu(1), not triu(0)), or give "
        "batches whose targets are the inputs.",
        numbers={"delay": float(late)},
    )
