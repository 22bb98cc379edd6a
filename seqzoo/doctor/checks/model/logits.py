"""Whether the outputs of the model are logits, and not probabilities.

Method: one pass in eval mode; rows of logits have both signs and no fixed sum. Cost: one pass. Pass
rule: some are negative. Fail: they are those of a softmax (nonnegative, summing to 1, along any
axis), of a ReLU (nonnegative, a hundredth exactly 0) or of a sigmoid (all between 0 and 1): no
linear layer stays within such bounds over thousands of outputs. Log-probabilities are logits too,
because another log-softmax does not change them; but not over time or rows, where each logit then
depends on all others along that axis: findings of other checks follow from this. If the user's own
loss takes probabilities, and returns the mean of their -log, it is a warning. Fail: logits that
stay so near each other, however large the parameters are made, that the least possible loss is
half a nat, as after a tanh or a clamp; a bound of 30 on both sides, as some models have on purpose,
costs nothing. Weights that are not registered cannot be made large, so with those it is not judged
(see model.registered). Source: torch.nn.CrossEntropyLoss, which expects logits.
"""

from __future__ import annotations

import math

import torch

from seqzoo.doctor.checks.model._bound import least_nats, widest
from seqzoo.doctor.checks.model._outputs import (
    axis_of_log_probabilities,
    axis_of_probabilities,
    takes_probabilities,
)
from seqzoo.doctor.checks.model._passes import length_for, logits_of, without_zeros
from seqzoo.doctor.checks.model._unregistered import names_outside
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_MOST_LEAST_NATS = 0.5
_AXES = ("the rows", "time", "the vocabulary")
_WHY = (
    "The loss applies its own softmax. A second softmax of probabilities is almost uniform: the "
    "loss cannot fall far below ln V, and gradients are small."
)
_REMEDY = (
    "Return the output of the last linear layer; use a softmax only to sample or to show "
    "probabilities."
)


def examine(subject: Subject) -> Outcome:
    network = without_zeros(subject.network)
    tokens = subject.random_tokens(4, length_for(subject))
    logits = logits_of(network, [tokens], whole=True)
    if bool(logits.isnan().any()):
        raise Missing("the logits are not finite (see model.finite)")
    lowest, highest = float(logits.min()), float(logits.max())
    figures = {"lowest": lowest, "highest": highest}
    if lowest < -1e-6 or lowest == highest:
        axis = axis_of_log_probabilities(logits)
        if axis == 2:
            return Outcome.passed("log-probabilities, which are also logits", **figures)
        if axis is not None:
            return _normalised_over(axis, figures)
        width = widest(network, tokens[:2, :8], enough=_width_for(subject.vocab_size))
        if _is_too_narrow(network, width, subject.vocab_size) and not names_outside(
            network, tokens
        ):
            return _bounded(width, subject.vocab_size, figures)
        return Outcome.passed(f"outputs from {lowest:.3g} to {highest:.3g}", **figures)
    if (axis := axis_of_probabilities(logits)) is not None:
        if axis == 2 and takes_probabilities(network, logits):
            return Outcome.warned(
                "the outputs are probabilities, and the loss takes their logarithm itself",
                why="The logarithm of a probability that was rounded to 0 is infinite, and code "
                "that expects logits, such as scoring here, interprets the outputs wrongly.",
                remedy="Return logits and use torch.nn.functional.cross_entropy.",
                numbers=figures,
            )
        seen = f"the outputs are probabilities: nonnegative, summing to 1 over {_AXES[axis]}"
    elif bool((logits == 0).double().mean() > 0.01):
        return Outcome.failed(
            f"no output is negative, {(logits == 0).double().mean():.0%} are 0, as after a ReLU",
            why="Outputs of 0 get no gradient, and no token can be less probable than all the "
            "others that have 0.",
            remedy="Return the output of the last linear layer, without a relu after it.",
            numbers=figures,
        )
    elif highest <= 1 + 1e-6:
        seen = f"all outputs are between {lowest:.3g} and {highest:.3g}, as after a sigmoid"
    else:
        return Outcome.passed(f"outputs from {lowest:.3g} to {highest:.3g}", **figures)
    return Outcome.failed(seen, why=_WHY, remedy=_REMEDY, numbers=figures)


def _width_for(vocab_size: int) -> float:
    """The difference of two logits at which the least loss is half a nat; 0 for one logit."""
    return math.log((vocab_size - 1) / math.expm1(_MOST_LEAST_NATS)) if vocab_size > 1 else 0.0


def _is_too_narrow(network: Network, width: float, vocab_size: int) -> bool:
    """Whether the loss of the best logits of that width is as high as that of cross-entropy; a loss
    may multiply them, as with similarities between -1 and 1.
    """
    if not width < _width_for(vocab_size):
        return False
    targets = torch.arange(6).view(2, 3) % vocab_size
    best = width * torch.eye(vocab_size)[targets]
    try:
        found, even = (
            float(network.loss(each.to(network.device), targets.to(network.device)))
            for each in (best, 0 * best)
        )
    except Exception:  # model.loss reports it
        return True
    return not found / even < 0.5 * least_nats(width, vocab_size) / math.log(vocab_size)


def _bounded(width: float, vocab_size: int, figures: dict[str, float]) -> Outcome:
    least = least_nats(width, vocab_size)
    return Outcome.failed(
        f"two logits differ by {width:.3g} at most, however large the weights are, as after a tanh "
        f"or a clamp: no token can have a probability above {math.exp(-least):.1%}",
        why=f"The loss cannot fall below {least:.2f} nats per token, and near the bound the "
        "gradient is almost 0.",
        remedy="Return the output of the last linear layer, without tanh, clamp or normalisation "
        "after it; if logits must be bounded, use a large bound, 30 * tanh(logits / 30).",
        numbers=figures | {"width": width, "least_nats": least},
    )


def _normalised_over(axis: int, figures: dict[str, float]) -> Outcome:
    return Outcome.failed(
        f"the outputs are a log_softmax over {_AXES[axis]}: their exponentials sum to 1 there",
        why="It must be over the vocabulary, the last axis. Over another axis, each logit depends "
        "on those of other tokens or rows, including later ones.",
        remedy="Name the axis: log_softmax(x, dim=-1), nn.LogSoftmax(dim=-1); or return the "
        "output of the last linear layer. Without dim torch uses axis 0 of (B, T, V), the rows.",
        numbers=figures,
    )
