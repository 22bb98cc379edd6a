"""The shares of a mixture that predicts a text best, found by Newton's method."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["fitted_shares", "mixture_nats"]

Vector = npt.NDArray[np.float64]

_BARRIERS = 10.0 ** -np.arange(2, 11)
_MOST_STEPS = 50
_SMALLEST_DECREASE = 1e-15


def fitted_shares(nats: npt.NDArray[np.float64]) -> Vector:
    """(K,) the shares w that make -mean_n log(sum_k w_k p_kn) the smallest; positive, in sum 1.

    nats: (K, N), what each of N tokens costs each of K models, -log p_kn.

    The mean cost is at most K * 1e-10 nats above the smallest one. It is minimised as
    f(w) = -mean_n log(sum_k w_k p_kn) + sum_k w_k - m sum_k log w_k, for m = 1e-2, 1e-3, ...
    (a barrier, Boyd and Vandenberghe 2004, chapter 11). No condition is needed: where the gradient
    of f is 0, its product with w says that the shares add up to 1 + K m.
    """
    p = np.exp(nats.min(axis=0) - nats)  # (K, N); a factor for each token changes no share
    w = np.full(len(p), 1 / len(p))
    for barrier in _BARRIERS:
        for _ in range(_MOST_STEPS):
            ratios = p / (w @ p)
            gradient = 1 - ratios.mean(axis=1) - barrier / w
            hessian = ratios @ ratios.T / p.shape[1] + np.diag(barrier / w**2)
            step = -np.linalg.solve(hessian, gradient)
            decrease = float(-gradient @ step)
            if decrease < _SMALLEST_DECREASE:
                break
            w = _stepped(w, step, p, barrier, decrease)
    shares: Vector = w / w.sum()
    return shares


def mixture_nats(nats: npt.NDArray[np.float64], shares: Vector) -> Vector:
    """(N,) what each token costs the mixture with these shares, given (K, N) of its models."""
    found: Vector = np.logaddexp.reduce(np.log(shares)[:, None] - nats, axis=0)
    return -found


def _stepped(w: Vector, step: Vector, p: Vector, barrier: float, decrease: float) -> Vector:
    """The shares after as much of Newton's step as keeps them positive and makes f smaller."""

    def f(shares: Vector) -> float:
        costs = -np.log(shares @ p).mean() + shares.sum()
        return float(costs - barrier * np.log(shares).sum())

    shrinking = float(np.max(-step / w))  # above 1, a share would be negative
    length = min(1.0, 0.9 / shrinking) if shrinking > 0 else 1.0
    start = f(w)
    while length > 1e-9 and f(w + length * step) > start - 0.25 * length * decrease:
        length /= 2
    return w + length * step
