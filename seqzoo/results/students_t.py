"""Draws from Student's t, for the noise of seeds that were not run."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["students_t"]


def students_t(
    degrees: int, draws: int, scores: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(draws,) quantiles of Student's t, in an order that comes from the (S,) scores alone, so
    that whether two rows tie depends on no third.
    """
    order = np.random.default_rng(np.frombuffer(scores.tobytes(), dtype=np.uint32))
    return order.permutation(_quantiles(degrees, draws))


@lru_cache
def _quantiles(degrees: int, draws: int) -> tuple[float, ...]:
    """Evenly spaced: 2,000 plain draws of one degree of freedom miss the tails by a tenth."""
    sample = np.random.default_rng(degrees).standard_t(degrees, size=400_000)
    return tuple(np.quantile(sample, (np.arange(draws) + 0.5) / draws))
