"""What a model's outputs are: logits, log-probabilities or probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.evidence.network import Network

__all__ = [
    "axis_of_log_probabilities",
    "axis_of_probabilities",
    "takes_probabilities",
]


def axis_of_log_probabilities(outputs: Tensor) -> int | None:
    """The axis along which outputs (B, T, V) are normalised; the last axis is tried first."""
    for axis in (2, 1, 0):
        if bool((outputs.logsumexp(axis).abs() < 1e-3).all()):
            return axis
    return None


def axis_of_probabilities(outputs: Tensor) -> int | None:
    """The axis along which nonnegative outputs (B, T, V) sum to 1; the last axis is tried first."""
    if bool((outputs < -1e-6).any()):
        return None
    for axis in (2, 1, 0):
        if bool(((outputs.sum(axis) - 1).abs() < 1e-3).all()):
            return axis
    return None


def takes_probabilities(network: Network, outputs: Tensor) -> bool:
    """Whether the loss of probabilities with the shape of outputs (B, T, V) is their mean -log."""
    # Not of the outputs: those of a new model are uniform, and then every loss is ln V.
    generator = torch.Generator().manual_seed(0)
    given = (4 * torch.randn(outputs.shape, generator=generator)).softmax(-1)
    targets = torch.arange(given[..., 0].numel()).view(given.shape[:2]) % given.shape[-1]
    expected = -given.double().gather(-1, targets[..., None]).log().mean()
    try:
        found = network.loss(given.to(network.device), targets.to(network.device))
    except Exception:  # model.loss reports the exception
        return False
    return bool(torch.isclose(found.detach().cpu().double(), expected, rtol=1e-3))
