"""Samplers that make the distribution sharper or flatter."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo import Sampler


class Greedy(Sampler):
    """Only the most probable token; of equal ones the lowest id."""

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        best = logits.argmax(-1, keepdim=True)  # the first of equals, and a NaN before any number
        return torch.full_like(logits, -math.inf).scatter_(-1, best, logits.gather(-1, best))


class Temperature(Sampler):
    """Logits divided by the temperature; 0 is greedy.

    Below 1e-6 it counts as 0: a logit divided by less could leave the range of float32.
    """

    def __init__(self, value: float) -> None:
        self._value = value
        self._greedy = Greedy() if value < 1e-6 else None

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        if self._greedy:
            return self._greedy(logits, history)
        return logits.div_(self._value)
