"""Mirostat: the cut-off is adjusted so that the text keeps a chosen surprise."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo import Sampler


class Mirostat(Sampler):
    """Mirostat 2.0, Basu et al. 2020, arXiv:2007.14966, algorithm 2.

    Tokens whose surprise is above mu bits are excluded, except the most probable one. After each
    draw, mu moves by `rate` times the difference of the wanted and the found surprise. Surprise is
    that of the distribution which comes in, before tokens are excluded.
    """

    def __init__(self, surprise_bits: float, rate: float) -> None:
        self._surprise_bits = surprise_bits
        self._rate = rate
        self.begin(torch.empty(0, dtype=torch.int64), 1)

    def begin(self, prompt: Int[Tensor, " N"], count: int) -> None:
        """Every row starts with mu at twice the wanted surprise."""
        self._mu = torch.full((count, 1), 2 * self._surprise_bits, dtype=torch.float64)
        self._surprise_of: Tensor | None = None

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        surprise = -logits.double().log_softmax(-1) / math.log(2)
        limit = torch.maximum(self._mu.expand(len(logits), 1), surprise.amin(-1, keepdim=True))
        self._surprise_of = surprise
        return logits.masked_fill_(surprise > limit, -math.inf)

    def drawn(self, tokens: Int[Tensor, " B"]) -> None:
        """Adjust mu by the surprise of the drawn tokens."""
        if self._surprise_of is None:
            return
        found = self._surprise_of.gather(-1, tokens[:, None])
        self._mu = self._mu - self._rate * (found - self._surprise_bits)
