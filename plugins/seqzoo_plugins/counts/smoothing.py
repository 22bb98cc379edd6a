"""From counts to distributions by Witten-Bell smoothing."""

from __future__ import annotations

import numpy as np

from seqzoo_plugins.counts.compiled import Array, compiled
from seqzoo_plugins.counts.lookup import Sums

__all__ = ["UNIFORM", "witten_bell"]

UNIFORM = -1
"""In place of the number of a context: the uniform distribution."""


@compiled
def witten_bell(sums: Sums, parents: Array, uniform: float) -> Array:
    """Turn the counts of each context into a distribution, interpolated with that of its parent:

        p_k(s) = (c_k(s) + t_k p_parent(s)) / (n_k + t_k)

    (Witten and Bell 1991, method C.) n: sum of a context's counts; t: number of its symbols.
    Without counts a context has its parent's distribution.

    parents: (K,) numbers of contexts before each one, or UNIFORM. uniform: the probability of each
    symbol there. Returns (N, K, 3): log(1 + n), log(1 + t) and t / (n + t), 1 without counts.
    """
    distributions, totals, kinds, _ = sums
    N, K, A = distributions.shape
    evidence = np.empty((N, K, 3), dtype=distributions.dtype)
    for n in range(N):
        for k in range(K):
            total, kind = totals[n, k], kinds[n, k]
            one = total + kind if total > 0 else totals.dtype.type(1)
            share = 1 / one
            novelty = kind * share if total > 0 else totals.dtype.type(1)
            evidence[n, k, 0] = np.log1p(total)
            evidence[n, k, 1] = np.log1p(kind)
            evidence[n, k, 2] = novelty
            own = distributions[n, k]
            if parents[k] == UNIFORM:
                below = novelty * uniform
                for column in range(A):
                    own[column] = own[column] * share + below
            else:
                lower = distributions[n, parents[k]]
                for column in range(A):
                    own[column] = own[column] * share + novelty * lower[column]
    return evidence
