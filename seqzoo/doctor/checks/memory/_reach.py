"""How far back a network reads, and how far back its gradient reaches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqzoo.doctor.checks._shared import without_dropout
from seqzoo.doctor.evidence.network import Network, mean_nats

__all__ = ["earlier_influence", "gradient_norms", "influences"]

_ROUNDING = 1e-6


def gradient_norms(network: Network, inputs: Tensor, targets: Tensor) -> list[float] | None:
    """Norm of d loss(t) / d embedding(t - k) at the last t, for k = 0, 1, ..., T - 1.

    inputs, targets: (B, T). The mean over rows, without dropout. None if the module does not embed
    its tokens with nn.Embedding, or gives it no gradient.
    """
    still = without_dropout(network)
    embedded: list[Tensor] = []

    def keep(_: nn.Module, given: tuple[Any, ...], output: Tensor) -> None:
        # Positions are embedded too; only tokens have a row for each row of the batch.
        if given[0].shape[0] == len(inputs) and given[0].ndim in (1, 2) and output.requires_grad:
            output.retain_grad()
            embedded.append(output)

    for module in still.module.modules():
        if isinstance(module, nn.Embedding):
            module.register_forward_hook(keep)
    logits, _ = still(inputs)
    if not (embedded and logits.requires_grad):
        return None
    # Not the user's own loss: it may need longer rows.
    torch.autograd.backward(mean_nats(logits[:, -1:], targets[:, -1:].to(logits.device)))
    slices = [torch.zeros_like(part) if part.grad is None else part.grad for part in embedded]
    # A loop over time embeds one token at a time.
    by_time = [part if part.ndim == 3 else part[:, None] for part in slices]
    if sum(part.shape[1] for part in by_time) != inputs.shape[1]:
        return None
    norms = torch.cat(by_time, dim=1).cpu().double().norm(dim=2).mean(dim=0)
    nearest_first: list[float] = norms.flip(0).tolist()
    return nearest_first


def influences(network: Network, inputs: Tensor, distances: list[int]) -> list[float]:
    """For each distance, how much the last logits change if the token that far before is replaced
    by another token of the text, relative to their size. 0 means no more than rounding.
    """
    T = inputs.shape[1]
    return _changes(network, inputs, [slice(T - 1 - k, T - k) for k in distances])


def earlier_influence(network: Network, inputs: Tensor) -> float:
    """The same if all tokens before the last are replaced."""
    return _changes(network, inputs, [slice(0, inputs.shape[1] - 1)])[0]


@torch.no_grad()
def _changes(network: Network, inputs: Tensor, replaced: list[slice]) -> list[float]:
    still = network.copied()
    still.module.eval()
    known, places = torch.unique(inputs, return_inverse=True)
    others = known[(places + 1) % len(known)]

    def last(tokens: Tensor) -> Tensor:
        torch.manual_seed(0)  # so that dropout that is always on drops the same units each time
        return still(tokens)[0][:, -1].cpu().double()

    plain = last(inputs)
    found = []
    for part in replaced:
        changed = inputs.clone()
        changed[:, part] = others[:, part]
        share = float((last(changed) - plain).norm() / plain.norm().clamp_min(1e-12))
        found.append(share if share > _ROUNDING else 0.0)
    return found
