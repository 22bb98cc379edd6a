"""Whether the loss is the mean cross-entropy, in its value and in the direction of its gradient.

Method: random logits (7, 11, V), with sizes that are all different so that axes can be
distinguished, and large enough that the softmax matters; value and gradient are compared with NumPy
in float64. Cost: none. Pass rule: both are equal to a thousandth; or the gradient has the same
direction and the value is a choice: the sum over all tokens, another unit, an added constant; or
the direction is within 8 degrees (cosine 0.99: label smoothing, weights, a penalty). A choice is
reported, because learning rate and clipping depend on it. Warn: a factor that is B, T or V, also of
label smoothing, or 1 / T or 1 / (B T) of the user's own batches. `loss.mean(0).sum()` is T times
the mean, neither the mean nor the sum, and gradients grow with the window; the code reduces one
axis too few or too many. Warn: if the batches have padding, the same sum divided by the number of
all places, and not of those that count. Warn: 8 to 25 degrees. Fail: anything else: a softmax over
another axis, a view instead of a transpose, a second shift of the targets; which of the usual ones
it is, the direction of its gradient shows. Fail: an optimizer that goes up this gradient; one that
goes up that of a negated loss is right. If the model returns log-probabilities, the loss is called
with log-probabilities. Source: cross-entropy and its gradient, softmax(logits) - onehot(targets),
divided by B T.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from seqzoo.doctor.checks.model._ignored import ignored_targets
from seqzoo.doctor.checks.model._loss_kinds import kind_of
from seqzoo.doctor.checks.model._loss_scale import cross_entropy, scale_of
from seqzoo.doctor.checks.model._outputs import (
    axis_of_log_probabilities,
    axis_of_probabilities,
    takes_probabilities,
)
from seqzoo.doctor.checks.model._padded_mean import divided_by_all, padding_in, some_places
from seqzoo.doctor.checks.model._passes import length_for, logits_of
from seqzoo.doctor.evidence.loss_form import shift_of
from seqzoo.doctor.subject import Subject, Unusable, cause_of, or_none
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_WHY = "Training follows the gradient of this number, and of nothing else."
_REMEDY = (
    "Use torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()): classes on "
    "the last axis, the mean over all tokens. To move axes use transpose, never view or reshape. "
    "nn.KLDivLoss is that mean with logits (B T, V) and reduction='batchmean'; its own mean also "
    "divides by V."
)
_TAKES = (
    "A loss takes logits (B, T, V) and targets (B, T); wrap one that takes other shapes: "
    "lambda logits, targets: criterion(logits.flatten(0, 1), targets.flatten())."
)
_LONG = 24
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
    counted = np.broadcast_to(np.arange(T) < covered, (B, T))
    expected, gradient = cross_entropy(logits, targets, counted)
    given = torch.tensor(logits, dtype=torch.float32, device=network.device, requires_grad=True)
    wanted = torch.from_numpy(targets).to(network.device)
    outputs = _as_the_model_gives(subject, given)
    try:
        loss = network.loss(outputs, wanted)
        if loss.numel() != 1:
            shape = tuple(loss.shape)
            return _failed(f"the loss has the shape {shape}; expected one number", _TAKES)
        (found_gradient,) = torch.autograd.grad(loss.sum(), given, retain_graph=True)
    except Exception as error:
        reason = error.__cause__ if isinstance(error, Unusable) else error
        return _failed(f"the loss raises {cause_of(reason or error)}", _TAKES)
    found, slope = float(loss.detach()), found_gradient.cpu().double().numpy()
    if subject.maximises:  # then it is the negated loss that falls
        found, slope = -found, -slope
    shifts = not shift and shift_of(network.loss, vocab_size) == 1
    is_finite = bool(np.isfinite(slope).all())
    scale = scale_of(slope, logits, targets, counted) if is_finite else math.nan
    outcome = _compare(
        found,
        slope,
        expected,
        gradient,
        {"B": B, "T": covered, "V": vocab_size},
        _sizes_of(subject),
        scale=scale,
        shifts=shifts,
    )
    if outcome.status == "pass" and 0.5 < scale < 2:
        return _with_padding(subject, outputs, given, targets, counted, scale, outcome) or outcome
    if outcome.status != "fail" or shifts:
        return outcome
    if subject.maximises:
        return _goes_up(outcome.numbers)
    kind = kind_of(network, wanted.cpu(), vocab_size)
    return outcome if kind is None else _failed(kind.seen, kind.remedy, outcome.numbers)


def _with_padding(
    subject: Subject,
    outputs: Tensor,
    given: Tensor,
    targets: np.ndarray,
    counted: np.ndarray,
    scale: float,
    outcome: Outcome,
) -> Outcome | None:
    """A finding if the loss of a batch with padding is divided by the number of all places.

    scale: of a batch without padding.
    """
    padding = padding_in(subject)
    if padding is None:
        return None
    network, kept = subject.network, counted & some_places(*targets.shape)
    padded = torch.from_numpy(np.where(kept, targets, padding)).to(network.device)
    try:
        (slope,) = torch.autograd.grad(network.loss(outputs, padded).sum(), given)
    except Exception:  # the loss may count no padding of this kind
        return None
    found = slope.cpu().double().numpy() * (-1 if subject.maximises else 1)
    if not np.isfinite(found).all() or np.abs(found[~kept]).max() > 1e-3 * np.abs(found).max():
        return None  # stream.padding reports a loss that counts padding
    logits = given.detach().cpu().double().log_softmax(-1).numpy()
    padded_scale = scale_of(found, logits, targets, kept) / scale
    if not math.isclose(padded_scale, kept.sum() / counted.sum(), rel_tol=0.02):
        return None
    return divided_by_all(padded_scale, padding, dict(outcome.numbers))


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


def _sizes_of(subject: Subject) -> tuple[int, int]:
    """B and T of this training; 0 if they are not known."""
    pipeline = or_none(lambda: subject.pipeline)
    return (0, 0) if pipeline is None else (pipeline.batch_size, pipeline.bptt_length)


def _compare(
    found: float,
    slope: np.ndarray,
    expected: float,
    gradient: np.ndarray,
    sizes: dict[str, int],
    own: tuple[int, int],
    *,
    scale: float,
    shifts: bool,
) -> Outcome:
    """own: B and T of this training. scale: see `scale_of`. shifts: the loss moves the targets by
    one, although they are the next tokens already.
    """
    tokens = f"{math.prod(own)} for your batches" if any(own) else "the batch size times the length"
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
        seen += ": its direction is near, as with label smoothing or weights"
        if name := _named(scale, sizes, within=0.01):
            seen += f", but {name} times as large: summed or averaged over a wrong axis"
        elif _is_near(scale, sizes["B"] * sizes["T"]):
            seen += f"; the sum over all tokens, {tokens}, and not the mean; {_DEPEND}"
            return Outcome.passed(seen, **figures)
        elif cosine >= 0.99:
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
    elif name := _divided_again(steepness, *own):
        seen = f"it is the mean cross-entropy divided by {name} of your batches: divided twice"
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


def _named(factor: float, sizes: dict[str, int], *, within: float = 1e-3) -> str:
    """Which of B, T, V and their products the factor is, other than the number of tokens."""
    B, T, V = sizes.values()
    counts = {"B": B, "T": T, "V": V, "(B V)": B * V, "(T V)": T * V, "(B T V)": B * T * V}
    inverse = {f"1 / {name}": 1 / count for name, count in (counts | {"(B T)": B * T}).items()}
    known: dict[str, float] = {**counts, **inverse}
    return next(
        (name for name, value in known.items() if math.isclose(factor, value, rel_tol=within)), ""
    )


def _divided_again(factor: float, B: int, T: int) -> str:
    """Which size of the user's batches the mean is divided by; a small one may be another."""
    known = {"the length T": T, "the number of tokens B T": B * T}
    near = (
        f"{name} = {size}"
        for name, size in known.items()
        if size >= _LONG and _is_near(factor, 1 / size)
    )
    return next(near, "")


def _failed(seen: str, remedy: str, figures: Mapping[str, float] | None = None) -> Outcome:
    return Outcome.failed(seen, why=_WHY, remedy=remedy, numbers=figures or {})
