"""How far a score could have been off, had the split been made of other blocks of its kind."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["bootstrap_interval"]

_DRAWS_AT_ONCE = 1 << 22


def bootstrap_interval(
    block_nats: npt.ArrayLike,
    block_bytes: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap of bits per byte over the blocks of a split: (low, high).

    block_nats, block_bytes: (N,) loss and raw bytes of each block. Blocks are drawn with
    replacement and keep their own bytes, so that a short last block weighs what it is. Neighbours
    that resemble each other make the true interval wider than this one. Same seed, same interval.
    Raises ValueError where there is no block, or no byte in one.
    Efron 1979, doi:10.1214/aos/1176344552.
    """
    nats = np.asarray(block_nats, dtype=np.float64)
    sizes = np.asarray(block_bytes, dtype=np.float64)
    if nats.shape != sizes.shape or nats.ndim != 1 or not len(nats) or not (sizes > 0).all():
        raise ValueError("block_nats and block_bytes must be (N,) with N > 0 and every size > 0")
    generator = np.random.default_rng(seed)
    estimates = []
    at_once = max(1, _DRAWS_AT_ONCE // len(nats))
    for done in range(0, resamples, at_once):
        rows = min(at_once, resamples - done)
        drawn = generator.integers(len(nats), size=(rows, len(nats)))
        estimates.append(nats[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(estimates), [tail, 1 - tail]) / math.log(2)
    return float(low), float(high)
