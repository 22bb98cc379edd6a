"""How far apart a model's logits can be, whatever it learns."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from seqzoo.doctor.checks.model._passes import logits_of
from seqzoo.doctor.evidence.network import Network

__all__ = ["least_nats", "widest"]

_FACTORS = (30.0, 1e6)


def widest(network: Network, tokens: Tensor, *, enough: float) -> float:
    """The largest difference of two logits at one place that larger parameters give, or `enough`
    as soon as that is reached.

    All parameters are multiplied at once, and if that does not widen the logits, each alone: many
    at once can switch off what is behind a ReLU.
    """
    found = _width(network, tokens)
    names = [name for name, each in network.module.named_parameters() if each.is_floating_point()]
    for chosen in [names, *([name] for name in names)]:
        for factor in _FACTORS:
            if not found < enough:
                return enough
            found = max(found, _width(_scaled(network, chosen, factor), tokens))
    return found


def least_nats(width: float, vocab_size: int) -> float:
    """The least cross-entropy of one target if logits differ by no more than `width`."""
    return math.log1p((vocab_size - 1) * math.exp(-width))


def _scaled(network: Network, names: Iterable[str], factor: float) -> Network:
    copy = network.copied()
    parameters = dict(copy.module.named_parameters())
    with torch.no_grad():
        for name in names:
            parameters[name].mul_(factor)
    return copy


def _width(network: Network, tokens: Tensor) -> float:
    """Infinite if a logit is not finite: then nothing bounds it."""
    logits = logits_of(network, [tokens])
    width = float((logits.amax(-1) - logits.amin(-1)).max())
    return width if math.isfinite(width) else math.inf
