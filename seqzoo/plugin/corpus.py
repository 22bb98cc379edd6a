"""The bytes that a corpus plugin gives. Without torch, so that a corpus can be opened before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Corpus"]


@dataclass(frozen=True)
class Corpus:
    """Bytes for training and scoring.

    name: shown in results and on the leaderboard.
    data: (N,) uint8, read-only; memory-mapped if it comes from a file.
    origin: where the bytes come from, as text for users.
    code_lengths: only if the true source is known: `(start, stop) -> (stop - start,) float64`, the
    bits of each byte under the source, given all earlier bytes. No correct model needs fewer.
    files: the user's files that it consists of, each as (path, start, stop) in `data`. Files that
    hold no plain text are reported before training. Empty if the bytes are not the user's.
    """

    name: str
    data: npt.NDArray[np.uint8]
    origin: str
    code_lengths: Callable[[int, int], npt.NDArray[np.float64]] | None = None
    files: Sequence[tuple[str, int, int]] = ()

    def __post_init__(self) -> None:
        if self.data.dtype != np.uint8 or self.data.ndim != 1:
            raise TypeError(f"corpus '{self.name}' must be one-dimensional uint8")
