"""Files in the cache: written completely or not at all, and memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from seqzoo import CorpusUnavailable, write_whole

__all__ = ["keep", "map_bytes"]


def map_bytes(path: Path, num_bytes: int | None = None) -> np.ndarray:
    """(N,) uint8, read-only: a file, or its first num_bytes, without reading it into memory."""
    shape = None if num_bytes is None else (num_bytes,)
    return np.memmap(path, dtype=np.uint8, mode="r", shape=shape)


def keep(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts to a file of the cache. Raises CorpusUnavailable if that fails."""
    try:
        write_whole(path, parts)
    except OSError as error:
        raise CorpusUnavailable(
            f"{path} could not be written ({error.strerror or error}); free some space, or set "
            f"SEQZOO_CACHE to a folder that can be written."
        ) from error
