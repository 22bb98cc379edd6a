"""Fewer repetitions: recent tokens become less probable."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo import Sampler


class RepetitionPenalty(Sampler):
    """Penalised sampling, Keskar et al. 2019, CTRL, arXiv:1909.05858, section 4.1.

    The paper divides every logit of a recent token, which would make a negative logit larger; here
    negative logits are multiplied. A token counts once, however often it is in the window.
    """

    def __init__(self, penalty: float, window: int) -> None:
        self._penalty = penalty
        self.history_length = window

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        seen = logits.gather(-1, history)
        penalised = torch.where(seen > 0, seen / self._penalty, seen * self._penalty)
        return logits.scatter_(-1, history, penalised)
