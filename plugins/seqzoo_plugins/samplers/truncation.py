"""Samplers that exclude tokens and keep the ratios of the other probabilities.

Of equally probable tokens the lower id is kept first. A row with a NaN keeps its NaN.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqzoo import Sampler


class TopK(Sampler):
    """The k most probable tokens, Fan et al. 2018, arXiv:1805.04833."""

    def __init__(self, k: int) -> None:
        self._k = k

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        # Not topk: the order of its ties is undefined.
        order = logits.argsort(dim=-1, descending=True, stable=True)
        return logits.scatter_(-1, order[:, self._k :], -math.inf)


class MinP(Sampler):
    """Tokens at least p times as probable as the best, Nguyen et al. 2024, arXiv:2407.01082."""

    def __init__(self, p: float) -> None:
        self._log_p = math.log(p)

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        least = logits.amax(-1, keepdim=True) + self._log_p
        return logits.masked_fill_(logits < least, -math.inf)


class TopP(Sampler):
    """The nucleus, Holtzman et al. 2020, arXiv:1904.09751, section 3.1.

    It is the smallest set of most probable tokens whose probabilities sum to at least p.
    """

    def __init__(self, p: float) -> None:
        self._p = p

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        order = logits.argsort(dim=-1, descending=True, stable=True)
        probabilities = logits.softmax(-1, dtype=torch.float64)
        return logits.masked_fill_(_beyond_mass(probabilities, order, self._p), -math.inf)


class Eta(Sampler):
    """Eta sampling, Hewitt et al. 2022, arXiv:2210.15191, section 4.

    Kept are tokens with a probability above min(epsilon, sqrt(epsilon) * exp(-entropy)). The most
    probable token has at least exp(-entropy), so it is always among them.
    """

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        probabilities = logits.softmax(-1, dtype=torch.float64)
        entropy_nats = torch.special.entr(probabilities).sum(-1, keepdim=True)
        cutoff = math.sqrt(self._epsilon) * (-entropy_nats).exp()
        return logits.masked_fill_(probabilities <= cutoff.clamp_(max=self._epsilon), -math.inf)


class Typical(Sampler):
    """Locally typical sampling, Meister et al. 2022, arXiv:2202.00666, section 4.

    The smallest set of tokens that sums to at least p, taken in the order of the distance between
    their information content and the entropy of the whole distribution.
    """

    def __init__(self, p: float) -> None:
        self._p = p

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        log_probabilities = logits.log_softmax(-1, dtype=torch.float64)
        probabilities = log_probabilities.exp()
        entropy_nats = torch.special.entr(probabilities).sum(-1, keepdim=True)
        order = (log_probabilities + entropy_nats).abs().argsort(dim=-1, stable=True)
        return logits.masked_fill_(_beyond_mass(probabilities, order, self._p), -math.inf)


def _beyond_mass(
    probabilities: Float[Tensor, "B V"], order: Int[Tensor, "B V"], mass: float
) -> Bool[Tensor, "B V"]:
    """The tokens before which the sum, in that order, has reached `mass`; never the first token."""
    ordered = probabilities.gather(-1, order)
    before = ordered.cumsum(-1).sub_(ordered)
    return torch.empty_like(order, dtype=torch.bool).scatter_(-1, order, before >= mass)
