"""How uncertain scores are: what they would be on other blocks of the same kind of text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["FEWEST_BLOCKS", "bootstrap_interval", "interval", "intervals", "resample"]

FEWEST_BLOCKS = 10
"""Of fewer blocks there is no interval: that of one block has no width at all, and those of a few
say much less than the truth (a 95 % interval of 5 blocks is right in 84 of 100 cases)."""

_DRAWS_AT_ONCE = 1 << 22

Floats = npt.NDArray[np.float64]


def resample(
    block_bits: npt.ArrayLike, block_bytes: npt.ArrayLike, *, resamples: int = 2000, seed: int = 0
) -> Floats:
    """(resamples, M) bits per byte of M scores, each row on other blocks, drawn with replacement.

    block_bits: (M, N) bits of each score for each of N blocks. block_bytes: (N,) their raw bytes;
    a short last block counts with its own size. In a row all scores see the same blocks, so that
    the difference of two columns is paired: what is hard for both cancels. Neighbouring blocks
    that resemble each other make true intervals wider than these. Same seed, same draws.
    Raises ValueError where there is no block, or a block without bytes.
    Efron 1979, doi:10.1214/aos/1176344552.
    """
    bits = np.asarray(block_bits, dtype=np.float64)
    sizes = np.asarray(block_bytes, dtype=np.float64)
    if bits.ndim != 2 or bits.shape[1:] != sizes.shape or not len(sizes) or not (sizes > 0).all():
        raise ValueError("block_bits must be (M, N) and block_bytes (N,), N > 0 and every size > 0")
    generator = np.random.default_rng(seed)
    blocks = len(sizes)
    estimates = np.empty((resamples, len(bits)))
    at_once = max(1, _DRAWS_AT_ONCE // blocks)
    for done in range(0, resamples, at_once):
        rows = min(at_once, resamples - done)
        drawn = generator.integers(blocks, size=(rows, blocks))
        drawn += np.arange(rows)[:, None] * blocks
        counts = np.bincount(drawn.ravel(), minlength=rows * blocks).reshape(rows, blocks)
        part = estimates[done : done + rows]
        # Not by a matrix product: equal scores would differ in their last bits.
        for column, each in enumerate(bits):
            part[:, column] = (counts * each).sum(axis=1)
        part /= (counts @ sizes)[:, None]
    return estimates


def interval(estimates: npt.ArrayLike, *, confidence: float = 0.95) -> tuple[float, float]:
    """The percentile interval of (R,) estimates: (low, high)."""
    return intervals(np.asarray(estimates)[:, None], confidence=confidence)[0]


def intervals(estimates: npt.ArrayLike, *, confidence: float = 0.95) -> list[tuple[float, float]]:
    """The percentile interval of each column of (R, M) estimates: (low, high)."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.asarray(estimates, dtype=np.float64), [tail, 1 - tail], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def bootstrap_interval(
    block_bits: npt.ArrayLike,
    block_bytes: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile interval of one score's bits per byte over its (N,) blocks: (low, high).

    None for fewer than `FEWEST_BLOCKS`.
    """
    one = np.asarray(block_bits, dtype=np.float64)[None]
    estimates = resample(one, block_bytes, resamples=resamples, seed=seed)
    if one.shape[1] < FEWEST_BLOCKS:
        return None
    return intervals(estimates, confidence=confidence)[0]
