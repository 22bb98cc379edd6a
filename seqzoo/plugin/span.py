"""A part of a corpus, as baselines and scores receive it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Span"]


@dataclass(frozen=True)
class Span:
    """A part of a corpus: the bytes [start, stop) and, as context, all bytes before them.

    data: (stop,) uint8, the corpus up to the end of the part.
    start, stop: the index of its first byte, and of the byte after its last.
    """

    data: np.ndarray
    start: int
    stop: int

    def __post_init__(self) -> None:
        # What follows the part is the future: nothing that scores it can read it by mistake.
        object.__setattr__(self, "data", self.data[: self.stop])

    @property
    def bytes(self) -> np.ndarray:
        """(stop - start,) uint8, a view."""
        return self.data[self.start : self.stop]

    def before(self, num_bytes: int) -> np.ndarray:
        """Up to num_bytes bytes before the first, in file order: context, which is never scored."""
        return self.data[max(0, self.start - num_bytes) : self.start]

    def first(self, num_bytes: int) -> Span:
        """The start of the span, at most num_bytes long."""
        return replace(self, stop=min(self.start + num_bytes, self.stop))

    def __len__(self) -> int:
        return self.stop - self.start
