"""Patterns of equal tokens, which do not depend on how tokens are numbered."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["WIDTH", "patterns"]

WIDTH = 24
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, with bits of the golden ratio (Knuth 1973)


def patterns(tokens: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """(N - 23,) a hash of each stretch of 24 tokens: for each token the distance to the same token
    before it in the stretch, 0 if there is none.

    tokens: (N,) integers, at least 24.
    """
    # The distance to the last equal token, in all of the text: sort by (token, place).
    order = np.argsort(tokens, kind="stable")
    distance = np.zeros(len(tokens), dtype=np.int64)
    same = tokens[order[1:]] == tokens[order[:-1]]
    distance[order[1:][same]] = (order[1:] - order[:-1])[same]
    count = len(tokens) - WIDTH + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for place in range(WIDTH):
        back = distance[place : place + count]
        inside = np.where(back <= place, back, 0).astype(np.uint64)
        hashes = (hashes + inside + np.uint64(1)) * _FACTOR
    return hashes
