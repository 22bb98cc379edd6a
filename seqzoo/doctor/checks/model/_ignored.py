"""Targets that a loss leaves out, such as `ignore_index` or a class weight of 0."""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.evidence.network import Network

__all__ = ["ignored_targets"]


def ignored_targets(network: Network, ids: Tensor, vocab_size: int) -> list[int]:
    """Those of the ids (N,) whose logits get no gradient when they are the target.

    Raises what the loss raises, and RuntimeError if it has no gradient.
    """
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((len(ids), 2, vocab_size), generator=generator).log_softmax(-1)
    given = logits.to(network.device).requires_grad_()
    # The second target is another one: a loss that shifts targets itself drops the last.
    targets = torch.stack([ids, ids.roll(1)], 1).to(network.device)
    (gradient,) = torch.autograd.grad(network.loss(given, targets).sum(), given)
    by_target = gradient[:, 0].abs().sum(-1).cpu()
    if not bool(by_target.any()):
        raise RuntimeError("the loss gives no gradient")
    return sorted(ids[by_target == 0].tolist())
