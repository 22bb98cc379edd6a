"""Whether what the model puts out are logits, and not probabilities.

Method: one pass in eval mode; rows of logits have both signs and no fixed sum. Cost: one pass. Pass
rule: some are negative. Fail: they are a softmax's (nonnegative, summing to 1, along whichever
axis), a sigmoid's (all within 0 and 1) or rectified (nonnegative, a hundredth exactly 0): bounds
that no linear layer keeps to over thousands of outputs. Log-probabilities are logits too, another
log-softmax leaves them as they are. Where one's own loss takes probabilities, and gives the mean of
their -log, it is a warning. Source: torch.nn.CrossEntropyLoss, which expects logits.
"""

from __future__ import annotations

from seqzoo.doctor.checks._outputs import (
    are_log_probabilities,
    axis_of_probabilities,
    takes_probabilities,
)
from seqzoo.doctor.checks._passes import awake, length_for, passed_over
from seqzoo.doctor.subject import Subject
from seqzoo.specs import Check, Outcome

__all__ = ["CHECK"]

_AXES = ("rows", "time", "vocabulary")
_WHY = (
    "The loss applies a softmax of its own. Over probabilities the second softmax is nearly even: "
    "the loss cannot fall far below ln V, and gradients are small."
)
_REMEDY = (
    "Return what the last linear layer gives; take a softmax only where you sample or show "
    "probabilities."
)


def examine(subject: Subject) -> Outcome:
    network = awake(subject.network)
    tokens = subject.random_tokens(4, length_for(subject))
    logits = passed_over(network, [tokens])
    lowest, highest = float(logits.min()), float(logits.max())
    figures = {"lowest": lowest, "highest": highest}
    if lowest < -1e-6 or lowest == highest:
        if are_log_probabilities(logits):
            return Outcome.passed("log-probabilities, which serve as logits", **figures)
        return Outcome.passed(f"outputs from {lowest:.3g} to {highest:.3g}", **figures)
    if (axis := axis_of_probabilities(logits)) is not None:
        if takes_probabilities(network, logits):
            return Outcome.warned(
                "the outputs are probabilities, and the loss takes their logarithm itself",
                why="The logarithm of a probability that was rounded to 0 is infinite, and "
                "whatever expects logits, as scoring here does, misreads the outputs.",
                remedy="Return logits and use torch.nn.functional.cross_entropy.",
                numbers=figures,
            )
        seen = f"the outputs are probabilities: nonnegative, summing to 1 over the {_AXES[axis]}"
    elif highest <= 1 + 1e-6:
        seen = f"all outputs lie between {lowest:.3g} and {highest:.3g}, as after a sigmoid"
    elif lowest >= 0 and bool((logits == 0).double().mean() > 0.01):
        seen = f"no output is negative, {(logits == 0).double().mean():.0%} are 0, as after a ReLU"
    else:
        return Outcome.passed(f"outputs from {lowest:.3g} to {highest:.3g}", **figures)
    return Outcome.failed(seen, why=_WHY, remedy=_REMEDY, numbers=figures)


CHECK = Check(
    name="model.logits",
    summary="the outputs are logits, not probabilities",
    examine=examine,
    rank=20,
    explains=(
        "model.initial_loss",
        "model.gradients",
        "memory.*",
        "optimisation.*",
        "verdict.*",
        "decoding.*",
    ),
    source="torch.nn.CrossEntropyLoss: the input is expected to contain unnormalised logits",
)
