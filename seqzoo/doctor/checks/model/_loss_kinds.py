"""What a loss is that is not the cross-entropy, found by the direction of its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from seqzoo.doctor.evidence.network import Network

__all__ = ["Kind", "kind_of"]

_SAME = 0.999

_CROSS_ENTROPY = "torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())"


class Kind(NamedTuple):
    """What the loss is, and what to do."""

    seen: str
    remedy: str


_Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def _chosen(outputs: Tensor, targets: Tensor) -> Tensor:
    return -outputs.gather(-1, targets[..., None]).mean()


def _usual(logits: Tensor, targets: Tensor) -> Tensor:
    return _chosen(logits.log_softmax(-1), targets)


def _one_hot(logits: Tensor, targets: Tensor) -> Tensor:
    return F.one_hot(targets, logits.shape[-1]).to(logits.dtype)


_KINDS: tuple[tuple[_Loss, Kind], ...] = (
    (
        lambda y, t: -_usual(y, t),
        Kind(
            "its sign is wrong: it rises when the target becomes more probable",
            f"Leave out the minus sign that is too many: the optimizer minimises {_CROSS_ENTROPY}.",
        ),
    ),
    (
        lambda y, t: _usual(y.softmax(-1), t),
        Kind(
            "it applies a softmax to the logits, and then a cross-entropy, which applies another: "
            "it cannot fall far below ln V",
            f"Leave out the softmax: {_CROSS_ENTROPY} expects logits.",
        ),
    ),
    (
        _chosen,
        Kind(
            "it is minus the target's logit, as NLLLoss computes it: it can fall without end, "
            "because all logits may rise",
            f"NLLLoss expects log-probabilities, logits.log_softmax(-1); or use {_CROSS_ENTROPY}.",
        ),
    ),
    (
        lambda y, t: _chosen(y.softmax(-1), t),
        Kind(
            "it is minus the target's probability, without a logarithm: a target that is thought "
            "impossible has almost no gradient",
            "Use logits.log_softmax(-1) in place of softmax in front of NLLLoss, or "
            f"{_CROSS_ENTROPY}.",
        ),
    ),
    (
        lambda y, t: _chosen(y.log_softmax(1), t),
        Kind(
            "its softmax is over time, axis 1, and not over the vocabulary",
            f"Name the axis, log_softmax(-1), or use {_CROSS_ENTROPY}.",
        ),
    ),
    (
        lambda y, t: _chosen(y.log_softmax(0), t),
        Kind(
            "its softmax is over the rows, axis 0, and not over the vocabulary",
            f"Name the axis, log_softmax(-1), or use {_CROSS_ENTROPY}.",
        ),
    ),
    (
        lambda y, t: F.cross_entropy(y.reshape(len(y), y.shape[2], y.shape[1]), t),
        Kind(
            "it views logits (B, T, V) as (B, V, T), which mixes the vocabulary with time",
            f"Use transpose(1, 2), never view or reshape; or {_CROSS_ENTROPY}.",
        ),
    ),
    (
        lambda y, t: F.cross_entropy(y.flatten(0, 1), t.T.flatten()),
        Kind(
            "it flattens logits row by row and targets time by time, so that each logit has the "
            "target of another place",
            f"Flatten both in the same order: {_CROSS_ENTROPY}.",
        ),
    ),
    (
        lambda y, t: F.binary_cross_entropy_with_logits(y, _one_hot(y, t)),
        Kind(
            "it is a binary cross-entropy of each token of the vocabulary alone, and almost all "
            "answers are no",
            f"One of V tokens comes next: use {_CROSS_ENTROPY}.",
        ),
    ),
    (
        lambda y, t: F.mse_loss(y, _one_hot(y, t)),
        Kind("it is the squared error of the logits", f"Use {_CROSS_ENTROPY}."),
    ),
    (
        lambda y, t: F.mse_loss(y.softmax(-1), _one_hot(y, t)),
        Kind("it is the squared error of the probabilities", f"Use {_CROSS_ENTROPY}."),
    ),
)


def kind_of(network: Network, targets: Tensor, vocab_size: int) -> Kind | None:
    """The kind whose gradient has the direction of the loss's own; None for any other.

    targets: (B, T), with B and T different, all of them counted by the loss. Raises what it raises.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = 2 * torch.randn(*targets.shape, vocab_size, generator=generator)
    found = _slope(network.loss, drawn.to(network.device), targets.to(network.device))
    if not bool(found.any()):
        return Kind(
            "it has no gradient: it does not depend on the logits",
            "Compute it from the logits as they are, without argmax, detach(), item() or a new "
            f"tensor in between: {_CROSS_ENTROPY}.",
        )
    # A loss that shifts targets by itself leaves the last places out.
    kept = targets.shape[1] - getattr(network.loss, "shift", 0)
    found = found[:, :kept].cpu().double()
    near: dict[float, Kind] = {}
    for loss, kind in _KINDS:
        expected = _slope(loss, drawn[:, :kept].double(), targets[:, :kept])
        near[float(F.cosine_similarity(found.flatten(), expected.flatten(), 0))] = kind
    return near[max(near)] if max(near) > _SAME else None


def _slope(loss: _Loss, logits: Tensor, targets: Tensor) -> Tensor:
    given = logits.clone().requires_grad_()
    value = loss(given, targets).sum()
    if not value.requires_grad:
        return torch.zeros_like(given)
    (gradient,) = torch.autograd.grad(value, given, allow_unused=True)
    return torch.zeros_like(given) if gradient is None else gradient
