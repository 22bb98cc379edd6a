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
    data: (N,) uint8, read-only; memory-mapped if it is a large file.
    origin: where the bytes come from, as text for users.
    code_lengths: only if the true source is known: `(start, stop) -> (stop - start,) float64`, the
    bits of each byte under the source, given all earlier bytes. No correct model needs fewer.
    documents: (K,) int64, the index of the first byte of each document, ascending from 0; None if
    it is one text. Streams receive them in tokens (`StreamContext.documents`).
    division: (validation, test), the index of the first byte of each, if the corpus comes divided:
    what is before is for training. A recipe's `corpus.split` replaces it.
    license: its terms of use, as text for users.
    files: the user's files that it consists of, each as (path, start, stop) in `data`. Files that
    hold no plain text are reported before training. Empty if the bytes are not the user's.
    """

    name: str
    data: npt.NDArray[np.uint8]
    origin: str
    code_lengths: Callable[[int, int], npt.NDArray[np.float64]] | None = None
    files: Sequence[tuple[str, int, int]] = ()
    documents: npt.NDArray[np.int64] | None = None
    division: tuple[int, int] | None = None
    license: str = ""

    def __post_init__(self) -> None:
        if self.data.dtype != np.uint8 or self.data.ndim != 1:
            raise TypeError(f"corpus '{self.name}' must be one-dimensional uint8")
        if self.documents is not None:
            starts = np.asarray(self.documents)
            steps = np.diff(starts, append=len(self.data) + 1)
            if starts.ndim != 1 or len(starts) == 0 or starts[0] != 0 or (steps < 1).any():
                raise ValueError(
                    f"documents of corpus '{self.name}' must be the ascending indices of first "
                    f"bytes, beginning with 0 and at most {len(self.data)}"
                )
        if self.division is not None:
            validation, test = self.division
            if not 0 < validation < test < len(self.data):
                raise ValueError(
                    f"division of corpus '{self.name}' is {self.division}, expected the first "
                    f"bytes of validation and test, between 0 and {len(self.data)}"
                )
