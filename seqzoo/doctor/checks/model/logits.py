"""Whether what the model puts out are logits, and not probabilities.

Method: one pass in eval mode; rows of logits have both signs and no fixed sum. Cost: one pass. Pass
rule: some are negative. Fail: they are a softmax's (nonnegative, summing to 1, along whichever
axis), rectified (nonnegative, a hundredth exactly 0) or a sigmoid's (all within 0 and 1): bounds
that no linear layer keeps to over thousands of outputs. Log-probabilities are logits too, another
log-softmax leaves them as they are; but not over the time or the rows, where each logit then knows
of all others along that axis: what is seen of that by other checks follows from this. Where one's
own loss takes probabilities, and gives the mean of their -log, it is a warning. Source:
torch.nn.CrossEntropyLoss, which expects logits.
"""

from __future__ import annotations

from seqzoo.doctor.checks.model._outputs import (
    axis_of_log_probabilities,
    axis_of_probabilities,
    takes_probabilities,
)
from seqzoo.doctor.checks.model._passes import awake, length_for, passed_over
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]

_AXES = ("the rows", "time", "the vocabulary")
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
        axis = axis_of_log_probabilities(logits)
        if axis == 2:
            return Outcome.passed("log-probabilities, which serve as logits", **figures)
        if axis is not None:
            return _normalised_over(axis, figures)
        return Outcome.passed(f"outputs from {lowest:.3g} to {highest:.3g}", **figures)
    if (axis := axis_of_probabilities(logits)) is not None:
        if axis == 2 and takes_probabilities(network, logits):
            return Outcome.warned(
                "the outputs are probabilities, and the loss takes their logarithm itself",
                why="The logarithm of a probability that was rounded to 0 is infinite, and "
                "whatever expects logits, as scoring here does, misreads the outputs.",
                remedy="Return logits and use torch.nn.functional.cross_entropy.",
                numbers=figures,
            )
        seen = f"the outputs are probabilities: nonnegative, summing to 1 over {_AXES[axis]}"
    elif bool((logits == 0).double().mean() > 0.01):
        return Outcome.failed(
            f"no output is negative, {(logits == 0).double().mean():.0%} are 0, as after a ReLU",
            why="Where it gives 0 nothing flows back, and no token can be made less likely than "
            "all the others that have 0.",
            remedy="Return what the last linear layer gives, with no relu after it.",
            numbers=figures,
        )
    elif highest <= 1 + 1e-6:
        seen = f"all outputs lie between {lowest:.3g} and {highest:.3g}, as after a sigmoid"
    else:
        return Outcome.passed(f"outputs from {lowest:.3g} to {highest:.3g}", **figures)
    return Outcome.failed(seen, why=_WHY, remedy=_REMEDY, numbers=figures)


def _normalised_over(axis: int, figures: dict[str, float]) -> Outcome:
    return Outcome.failed(
        f"the outputs are a log_softmax over {_AXES[axis]}: their exponentials sum to 1 there",
        why="It has to go over the vocabulary, the last axis. Over another, each logit depends on "
        "those of other tokens or rows, what comes later included.",
        remedy="Name the axis: log_softmax(x, dim=-1), nn.LogSoftmax(dim=-1); or return what the "
        "last linear layer gives. Without dim torch takes axis 0 of (B, T, V), the rows.",
        numbers=figures,
    )


CHECK = Check(
    name="model.logits",
    summary="the outputs are logits, not probabilities",
    examine=examine,
    rank=20,
    explains=(
        "model.initial_loss",
        "model.causality",
        "model.rows",
        "model.state",
        "model.gradients",
        "model.evaluation",
        "memory.*",
        "optimisation.*",
        "verdict.*",
        "decoding.*",
    ),
    source="torch.nn.CrossEntropyLoss: the input is expected to contain unnormalised logits",
)
