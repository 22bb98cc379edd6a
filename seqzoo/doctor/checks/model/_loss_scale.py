"""How many times the mean cross-entropy a loss is, also if it smooths its targets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["cross_entropy", "scale_of"]

_TIMES_USUAL = 4.0

Floats = npt.NDArray[np.float64]


def cross_entropy(
    log_probabilities: Floats, targets: npt.NDArray[np.int64], counted: npt.NDArray[np.bool_]
) -> tuple[float, Floats]:
    """The mean in nats over the places (B, T) that count, and its gradient (B, T, V)."""
    onehot = np.zeros_like(log_probabilities)
    np.put_along_axis(onehot, targets[..., None], 1.0 * counted[..., None], -1)
    mean = float(-(onehot * log_probabilities).sum() / counted.sum())
    gradient = np.exp(log_probabilities) * counted[..., None] - onehot
    return mean, gradient / counted.sum()


def scale_of(
    slope: Floats,
    log_probabilities: Floats,
    targets: npt.NDArray[np.int64],
    counted: npt.NDArray[np.bool_],
) -> float:
    """The factor of a slope (B, T, V) that is one of cross-entropy with smooth targets.

    Smoothing by e makes of the gradient g a sum (1 - e) g + e u, where u is that of even targets;
    the two are fitted by least squares, and their sum is the factor, whatever e is. A second fit
    leaves out places that the first does not fit, such as those of a target with another weight.
    """
    gradient = cross_entropy(log_probabilities, targets, counted)[1][counted]
    even = np.exp(log_probabilities[counted]) - 1 / log_probabilities.shape[-1]
    parts, found = np.stack([gradient, even / counted.sum()], -1), slope[counted]
    left = np.linalg.norm(found - parts @ _fitted(parts, found), axis=-1)
    kept = left <= _TIMES_USUAL * np.median(left)
    return float(_fitted(parts[kept], found[kept]).sum())


def _fitted(parts: Floats, found: Floats) -> Floats:
    """(2,) factors of parts (N, V, 2) whose sum is nearest to what was found (N, V)."""
    flat = parts.reshape(-1, 2)
    # The two normal equations: with a large vocabulary there are millions of rows.
    return np.asarray(
        np.linalg.lstsq(flat.T @ flat, flat.T @ found.ravel(), rcond=None)[0], np.float64
    )
