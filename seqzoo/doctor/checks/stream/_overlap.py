"""Rows that are the same text, one some tokens later than the other."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
from torch import Tensor

__all__ = ["rows_behind_another"]


def rows_behind_another(rows: Tensor, *, width: int) -> tuple[float, int]:
    """The share of rows of (B, N) tokens that are another row from its token `d` on, and d >= 1.

    Row j is behind row i if everything after the first d tokens of row i is the beginning of row j,
    at least `width` tokens: no repeated phrase is that long. d is that of most rows; 0, 0 if there
    is none.
    """
    tokens = rows.numpy()
    _, N = tokens.shape
    if width >= N:
        return 0.0, 0
    known = _hashes(tokens, width)  # (B, N - width + 1)
    order = np.argsort(known, axis=None, kind="stable")
    in_order = known.ravel()[order]
    counts: Counter[int] = Counter()
    for j, beginning in enumerate(known[:, 0]):
        first, last = (np.searchsorted(in_order, beginning, side) for side in ("left", "right"))
        found: set[int] = set()
        # A beginning that occurs in very many places shows nothing.
        for place in order[first:last][: 16 * len(tokens)]:
            i, d = divmod(int(place), known.shape[1])
            if i != j and d and d not in found and _equal(tokens[i, d:], tokens[j, : N - d]):
                found.add(d)
        counts.update(found)
    if not counts:
        return 0.0, 0
    d, count = max(counts.items(), key=lambda pair: (pair[1], -pair[0]))
    return count / len(tokens), d


def _equal(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> bool:
    return bool(np.array_equal(first, second))


def _hashes(tokens: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.uint64]:
    """(B, N - width + 1) polynomials modulo 2^64 of every window."""
    values = tokens.astype(np.uint64) + np.uint64(1)
    count = tokens.shape[1] - width + 1
    result = np.zeros((len(tokens), count), dtype=np.uint64)
    for offset in range(width):
        result = result * np.uint64(0x9E3779B97F4A7C15) + values[:, offset : offset + count]
    return result
