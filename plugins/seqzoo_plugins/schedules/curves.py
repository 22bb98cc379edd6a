"""Factors of the learning rate over a training; the core adds the warm-up."""

from __future__ import annotations

import math
from collections.abc import Callable

from seqzoo import Schedule

__all__ = ["Curve", "InverseSquareRoot", "cosine", "linear", "stable_then"]


class Curve(Schedule):
    """A decay over the budget: from 1 to `final_fraction` as `remaining` goes from 1 to 0."""

    def __init__(self, remaining: Callable[[float], float], *, final_fraction: float) -> None:
        """remaining: of the share of the budget that is spent."""
        self.remaining = remaining
        self.final_fraction = final_fraction

    def factor(self, step: int, progress: float) -> float:
        return self.final_fraction + (1.0 - self.final_fraction) * self.remaining(progress)


class InverseSquareRoot(Schedule):
    """1 / sqrt(1 + n / timescale), n updates after the warm-up."""

    def __init__(self, *, timescale: int, warmup_steps: int) -> None:
        self.timescale = timescale
        self.warmup_steps = warmup_steps

    def factor(self, step: int, progress: float) -> float:
        after = max(0, step + 1 - self.warmup_steps)
        return 1.0 / math.sqrt(1.0 + after / self.timescale)


def cosine(progress: float) -> float:
    """Half a period of a cosine."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def linear(progress: float) -> float:
    """A straight line."""
    return 1.0 - progress


def stable_then(*, decay_share: float, shape: str) -> Callable[[float], float]:
    """1 until the last `decay_share` of the budget, then a fall to 0."""

    def remaining(progress: float) -> float:
        done = max(0.0, 1.0 - (1.0 - progress) / decay_share)
        return 1.0 - (math.sqrt(done) if shape == "square_root" else done)

    return remaining
