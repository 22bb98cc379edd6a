"""Ids in a user's own batches, read as the bytes of the corpus they were made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Reading", "readings"]

Reading: TypeAlias = Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]


def readings(corpus: npt.NDArray[np.uint8], largest: int) -> list[Reading]:
    """What ids up to `largest` may mean: byte values, or places in the sorted list of the byte
    values that the corpus has, as `sorted(set(text))` numbers them.
    """
    possible: list[Reading] = []
    if largest < 256:
        possible.append(lambda ids: ids.astype(np.uint8))
    counts = np.zeros(256, dtype=np.int64)
    for start in range(0, len(corpus), 1 << 20):
        counts += np.bincount(corpus[start : start + (1 << 20)], minlength=256)
    alphabet = np.flatnonzero(counts).astype(np.uint8)
    if largest < len(alphabet) < 256:
        possible.append(lambda ids: alphabet[ids])
    return possible
