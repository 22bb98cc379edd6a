"""Whether the loss is the mean cross-entropy, in its value and in the direction of its gradient.

Method: random logits (7, 11, V), with sizes that are all different so that axes can be
distinguished, and large enough that the softmax matters; value and gradient are compared with NumPy
in float64. Cost: none. Pass rule: both are equal to a thousandth; or the gradient has the same
direction and the value is a choice: the sum over all tokens, another unit, an added constant; or
the direction is within 8 degrees (cosine 0.99: label smoothing, weights, a penalty). A choice is
reported, because learning rate and clipping depend on it. Warn: a factor that is B, T or V.
`loss.mean(0).sum()` is T times the mean, neither the mean nor the sum, and gradients grow with the
window; the code reduces one axis too few or too many. Warn: 8 to 25 degrees. Fail: anything else: a
softmax over another axis, a view instead of a transpose, a second shift of the targets; which of
the usual ones it is, the direction of its gradient shows. Fail: an optimizer that goes up this
gradient; one that goes up that of a negated loss is right. If the model returns log-probabilities,
the loss is called with log-probabilities.
Source: cross-entropy and its gradient, softmax(logits) - onehot(targets), divided by B T.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from seqzoo.doctor.checks.model._ignored import ignored_targets
from seqzoo.doctor.checks.model._loss_kinds import kind_of
from seqzoo.doctor.checks.model._outputs import (
    axis_of_log_probabilities,
    axis_of_probabilities,
    takes_probabilities,
)
from seqzoo.doctor.checks.model._passes import length_for, logits_of
from seqzoo.doctor.evidence.loss_form import shift_of
from seqzoo.doctor.subject import Subject, Unusable, cause_of, or_none
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_WHY = "Training follows the gradient of this number, and of nothing else."
_REMEDY = (
    "Use torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()): classes on "
    "the last axis, the mean over all tokens. To move axes use transpose, never view or reshape."
)
_TAKES = (
    "A loss takes logits (B, T, V) and targets (B, T); wrap one that takes other shapes: "
    "lambda logits, targets: criterion(logits.flatten(0, 1), targets.flatten())."
)
_DEPEND = "learning rate and clipping depend on it"


def examine(subject: Subject) -> Outcome:
    vocab_size = subject.vocab_size
    B, T = [size for size in (7, 11, 13) if size != vocab_size][:2]
    generator = np.random.default_rng(subject.seed)
    logits = 4 * generator.standard_normal((B, T, vocab_size))
    targets = generator.integers(vocab_size, size=(B, T))
    targets = _without_ignored(subject, targets)
    logits -= logits.max(-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    network = subject.network
    # A loss that shifts targets by itself leaves out the logits of the last place.
    shift = getattr(network.loss, "shift", 0)
    covered = T - shift
    expected, slope_there = _cross_entropy(logits[:, :covered], targets[:, :covered])
    gradient = np.zeros_like(logits)
    gradient[:, :covered] = slope_there
    given = torch.tensor(logits, dtype=torch.float32, device=network.device, requires_grad=True)
    wanted = torch.from_numpy(targets).to(network.device)
    outputs = _as_the_model_gives(subject, given)
    try:
        loss = network.loss(outputs, wanted)
        if loss.numel() != 1:
            shape = tuple(loss.shape)
            return _failed(f"the loss has the shape {shape}; expected one number", _TAKES)
        (found_gradient,) = torch.autograd.grad(loss.sum(), given)
    except Exception as error:
        reason = error.__cause__ if isinstance(error, Unusable) else error
        return _failed(f"the loss raises {cause_of(reason or error)}", _TAKES)
    found, slope = float(loss.detach()), found_gradient.cpu().double().numpy()
    if subject.maximises:  # then it is the negated loss that falls
        found, slope = -found, -slope
    shifts = not shift and shift_of(network.loss, vocab_size) == 1
    outcome = _compare(
        found,
        slope,
        expected,
        gradient,
        {"B": B, "T": covered, "V": vocab_size},
        _tokens_of(subject),
        shifts=shifts,
    )
    if outcome.status != "fail" or shifts:
        return outcome
    if subject.maximises:
        return _goes_up(outcome.numbers)
    kind = kind_of(network, wanted.cpu(), vocab_size)
    return outcome if kind is None else _failed(kind.seen, kind.remedy, outcome.numbers)


def _goes_up(figures: Mapping[str, float]) -> Outcome:
    return _failed(
        "the optimizer moves the weights up the gradient of the loss, so that the loss rises",
        "Leave out maximize=True, and subtract the gradient where an update is written by hand: "
        "w -= rate * gradient.",
        figures,
    )


def _without_ignored(subject: Subject, targets: np.ndarray) -> np.ndarray:
    """The same with targets that the loss leaves out replaced by one that it counts."""
    ids = torch.from_numpy(np.unique(targets))
    try:
        ignored = ignored_targets(subject.network, ids, subject.vocab_size)
    except Exception:  # reported below, where the loss is called with usual targets
        return targets
    counted = np.setdiff1d(ids.numpy(), ignored)
    return np.where(np.isin(targets, ignored), counted[0], targets)


def _as_the_model_gives(subject: Subject, logits: Tensor) -> Tensor:
    """Logits as they are, or normalised if the model's own outputs are, along any axis: a wrong
    axis is reported by model.logits.
    """
    text = subject.random_tokens(2, length_for(subject))
    outputs = logits_of(subject.network, [text], whole=True)
    if axis_of_probabilities(outputs) is not None and takes_probabilities(subject.network, outputs):
        return logits.softmax(-1)
    return logits if axis_of_log_probabilities(outputs) is None else logits.log_softmax(-1)


def _tokens_of(subject: Subject) -> str:
    """How many tokens a batch of this training has, in words."""
    pipeline = or_none(lambda: subject.pipeline)
    if pipeline is None:
        return "the batch size times the length"
    return f"{pipeline.batch_size * pipeline.bptt_length} for your batches"


def _compare(
    found: float,
    slope: np.ndarray,
    expected: float,
    gradient: np.ndarray,
    sizes: dict[str, int],
    tokens: str,
    *,
    shifts: bool,
) -> Outcome:
    """shifts: the loss moves the targets by one, although they are the next tokens already."""
    length = float(np.linalg.norm(slope))
    cosine = float((slope * gradient).sum() / max(length * np.linalg.norm(gradient), 1e-30))
    steepness = length / float(np.linalg.norm(gradient))
    factor = found / expected
    figures = {"loss": found, "cross_entropy": expected, "cosine": cosine, "steepness": steepness}
    seen = f"{found:.4f} for a mean cross-entropy of {expected:.4f}, gradients' cosine {cosine:.3f}"
    if not (math.isfinite(found) and math.isfinite(length)) or cosine < 0.9:
        if shifts:
            return _shifted_twice(seen, figures)
        return _failed(f"{seen}: it is something else", _REMEDY, figures)
    if cosine < 0.99999:
        seen += ": near it, as with label smoothing or weights"
        if cosine >= 0.99:
            return Outcome.passed(f"{seen}; not comparable with other losses", **figures)
    elif _is_near(steepness, 1):
        if _is_near(factor, 1):
            shape = ", ".join(map(str, sizes.values()))
            return Outcome.passed(f"{seen}, B, T, V = {shape}", **figures)
        return Outcome.passed(f"{seen}: a constant is added to it", **figures)
    elif _is_near(steepness, sizes["B"] * sizes["T"]):
        seen = f"it is the sum over all tokens, {tokens}, and not the mean; {_DEPEND}"
        return Outcome.passed(seen, **figures)
    elif _is_near(steepness, 1 / math.log(2)):
        return Outcome.passed(f"the mean in bits, 1 / ln 2 times nats; {_DEPEND}", **figures)
    elif name := _named(steepness, sizes):
        seen = f"it is {name} times the mean cross-entropy: summed or averaged over a wrong axis"
    else:
        seen = f"it is {steepness:.4g} times the mean cross-entropy; {_DEPEND}"
        return Outcome.passed(seen, **figures)
    return Outcome.warned(
        seen,
        why="The value cannot be compared with other losses or with ln V. A factor also multiplies "
        "gradients, so it changes the effect of clipping and learning rate, and a factor that is a "
        "size of the batch changes with the batch.",
        remedy=_REMEDY,
        numbers=figures,
    )


def _shifted_twice(seen: str, figures: Mapping[str, float]) -> Outcome:
    return _failed(
        f"{seen}: it compares logits at t with the target at t + 1, although the batches have "
        f"shifted the targets already: the model learns the token after next",
        "Shift once: give the loss logits and targets of the same places, or batches whose targets "
        "are the inputs.",
        figures,
    )


def _is_near(found: float, expected: float) -> bool:
    return math.isclose(found, expected, rel_tol=1e-3)


def _cross_entropy(log_probabilities: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean in nats over (B, T), and its gradient (B, T, V), in float64."""
    onehot = np.eye(log_probabilities.shape[-1])[targets]
    mean = float(-(onehot * log_probabilities).sum() / targets.size)
    return mean, (np.exp(log_probabilities) - onehot) / targets.size


def _named(factor: float, sizes: dict[str, int]) -> str:
    """Which of B, T, V and their products the factor is, other than the number of tokens."""
    B, T, V = sizes.values()
    counts = {"B": B, "T": T, "V": V, "(B V)": B * V, "(T V)": T * V, "(B T V)": B * T * V}
    inverse = {f"1 / {name}": 1 / count for name, count in (counts | {"(B T)": B * T}).items()}
    known: dict[str, float] = {**counts, **inverse}
    return next((name for name, value in known.items() if _is_near(factor, value)), "")


def _failed(seen: str, remedy: str, figures: Mapping[str, float] | None = None) -> Outcome:
    return Outcome.failed(seen, why=_WHY, remedy=remedy, numbers=figures or {})
