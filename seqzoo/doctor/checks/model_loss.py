"""Whether the loss is the mean cross-entropy, in its value and in the way its gradient points.

Method: random logits (3, 5, V), all sizes different so that axes can be told apart, scaled to be
sure of themselves so that the softmax matters; value and gradient against NumPy in float64. Cost:
none. Pass rule: both equal to a thousandth. Warn: a constant factor, named by the sizes it equals,
or a constant added, or a gradient that points within 25 degrees (label smoothing, weights, a
penalty). Fail: anything else: softmax over another axis, a view where a transpose is meant, a
second shift of the targets. Where the model gives log-probabilities, the loss is given such.
Source: cross-entropy and its gradient, softmax(logits) - onehot(targets), divided by B T.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from seqzoo.doctor.checks._outputs import are_log_probabilities, takes_probabilities
from seqzoo.doctor.checks._passes import length_for, passed_over
from seqzoo.doctor.subject import Subject, cause_of
from seqzoo.specs import Check, Outcome

__all__ = ["CHECK"]

_WHY = "Training descends the gradient of this figure, and of nothing else."
_REMEDY = (
    "Use torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()): classes on "
    "the last axis, the mean over all tokens. To move axes use transpose, never view or reshape."
)


def examine(subject: Subject) -> Outcome:
    vocab_size = subject.vocab_size
    B, T = [size for size in (3, 5, 7) if size != vocab_size][:2]
    generator = np.random.default_rng(subject.seed)
    logits = 4 * generator.standard_normal((B, T, vocab_size))
    targets = generator.integers(vocab_size, size=(B, T))
    logits -= logits.max(-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    expected, gradient = _cross_entropy(logits, targets)
    network = subject.network
    given = torch.tensor(logits, dtype=torch.float32, device=network.device, requires_grad=True)
    wanted = torch.from_numpy(targets).to(network.device)
    try:
        loss = network.loss(_as_the_model_gives(subject, given), wanted)
        if loss.numel() != 1:
            return _failed(f"the loss has the shape {tuple(loss.shape)}; expected one number")
        (found_gradient,) = torch.autograd.grad(loss.sum(), given)
    except Exception as error:
        return _failed(f"the loss raises {cause_of(error)}")
    found, slope = float(loss.detach()), found_gradient.cpu().double().numpy()
    return _compare(found, slope, expected, gradient, {"B": B, "T": T, "V": vocab_size})


def _as_the_model_gives(subject: Subject, logits: Tensor) -> Tensor:
    """Logits as they are, or normalised where the model's own outputs are."""
    outputs = passed_over(subject.network, [subject.random_tokens(2, length_for(subject))])
    if takes_probabilities(subject.network, outputs):
        return logits.softmax(-1)
    return logits.log_softmax(-1) if are_log_probabilities(outputs) else logits


def _compare(
    found: float, slope: np.ndarray, expected: float, gradient: np.ndarray, sizes: dict[str, int]
) -> Outcome:
    length = float(np.linalg.norm(slope))
    cosine = float((slope * gradient).sum() / max(length * np.linalg.norm(gradient), 1e-30))
    steepness = length / float(np.linalg.norm(gradient))
    factor = found / expected
    figures = {"loss": found, "cross_entropy": expected, "cosine": cosine, "steepness": steepness}
    seen = f"{found:.4f} for a mean cross-entropy of {expected:.4f}, gradients' cosine {cosine:.3f}"
    if not (math.isfinite(found) and math.isfinite(length)) or cosine < 0.9:
        return _failed(f"{seen}: it is something else", **figures)
    if cosine < 0.999:
        seen += ": near it, as with label smoothing or weights"
    elif not math.isclose(steepness, 1, rel_tol=1e-3):
        seen = f"{factor:.4g} times the mean cross-entropy{_named(steepness, sizes)}"
    elif not math.isclose(factor, 1, rel_tol=1e-3):
        seen += ": a constant is added"
    else:
        return Outcome.passed(f"{seen}, B, T, V = {', '.join(map(str, sizes.values()))}", **figures)
    return Outcome.warned(
        seen,
        why="The figure is not comparable with others' and with ln V; a factor also multiplies "
        "gradients, hence the clipping and the learning rate that suit it.",
        remedy=_REMEDY,
        numbers=figures,
    )


def _cross_entropy(log_probabilities: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean in nats over (B, T), and its gradient (B, T, V), in float64."""
    onehot = np.eye(log_probabilities.shape[-1])[targets]
    mean = float(-(onehot * log_probabilities).sum() / targets.size)
    return mean, (np.exp(log_probabilities) - onehot) / targets.size


def _named(factor: float, sizes: dict[str, int]) -> str:
    """What of B, T, V and their products the factor is."""
    B, T, V = sizes.values()
    counts = {"B": B, "T": T, "V": V, "B T": B * T, "B V": B * V, "T V": T * V, "B T V": B * T * V}
    known: dict[str, float] = {**counts, **{f"1 / {n}": 1 / count for n, count in counts.items()}}
    known["1 / ln 2, which makes bits of nats"] = 1 / math.log(2)
    for name, value in known.items():
        if math.isclose(factor, value, rel_tol=1e-3):
            return f": {name}" + (" (a sum over it, where a mean is meant)" if value > 2 else "")
    return ""


def _failed(seen: str, **figures: float) -> Outcome:
    return Outcome.failed(seen, why=_WHY, remedy=_REMEDY, numbers=figures)


CHECK = Check(
    name="model.loss",
    summary="the loss is the mean cross-entropy",
    examine=examine,
    rank=40,
    explains=(
        "model.finite",
        "model.gradients",
        "memory.*",
        "optimisation.*",
        "verdict.*",
        "decoding.*",
    ),
)
