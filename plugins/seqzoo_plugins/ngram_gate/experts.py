"""From counts to distributions by Witten-Bell smoothing, and the features for the gate."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["FEATURES", "Experts", "experts_of", "witten_bell"]

FEATURES = 5
_FLOOR = 1e-10


class Experts(NamedTuple):
    """probabilities: (N, K, V) of K experts. features: (N, K, FEATURES) of their certainty."""

    probabilities: Tensor
    log_probabilities: Tensor
    features: Tensor


def witten_bell(
    counts: Float[Tensor, "N K V"], lowest: Float[Tensor, "N V"]
) -> tuple[Float[Tensor, "N K V"], Float[Tensor, "N K 3"]]:
    """Each order's distribution, interpolated with that of the order before.

        p_k(s) = (c_k(s) + t_k p_{k-1}(s)) / (n_k + t_k)

    (Witten and Bell 1991, method C.) n: sum of an order's counts; t: number of its symbols.
    Without counts a context has the lower order's.

    lowest: p_{-1}. Returns the distributions, and log(1 + n), log(1 + t) and t / (n + t) of each.
    """
    totals = counts.sum(-1)
    kinds = (counts > 0).sum(-1).to(counts.dtype)
    mass = (totals + kinds).clamp_(min=1)
    novelty = torch.where(totals > 0, kinds / mass, 1.0)
    distributions = counts / mass.unsqueeze(-1)
    below = lowest
    for order in range(counts.shape[1]):
        below = distributions[:, order].addcmul_(novelty[:, order, None], below)
    return distributions, torch.stack([totals.log1p(), kinds.log1p(), novelty], dim=-1)


def experts_of(distributions: Float[Tensor, "N K V"], evidence: Float[Tensor, "N K 3"]) -> Experts:
    """The experts with these distributions; entropy and highest log-probability are added features.

    Probabilities have a floor, because after a thousand equal bytes all others would be near zero.
    """
    distributions = distributions.clamp(min=_FLOOR)
    logs = distributions.log()
    entropy = -(distributions * logs).sum(-1)
    shape = torch.stack([entropy, logs.amax(-1)], dim=-1)
    return Experts(distributions, logs, torch.cat([evidence, shape], dim=-1))
