"""Files in the cache: written completely or not at all, and memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from seqzoo.errors import CorpusUnavailable
from seqzoo.storage import is_full, write_whole

__all__ = ["map_bytes", "write_cached"]


def map_bytes(path: Path, num_bytes: int | None = None) -> np.ndarray:
    """(N,) uint8, read-only: a file, or its first num_bytes, without reading it into memory."""
    shape = None if num_bytes is None else (num_bytes,)
    return np.memmap(path, dtype=np.uint8, mode="r", shape=shape)


def write_cached(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts to a file of the cache. Raises CorpusUnavailable if that fails."""
    try:
        write_whole(path, parts)
    except OSError as error:
        raise CorpusUnavailable(
            f"{_fault(path, error)}; {'make room, or ' if is_full(error) else ''}set SEQZOO_CACHE "
            f"to a folder that can be written."
        ) from error


def _fault(path: Path, error: OSError) -> str:
    """Which file or folder of the cache cannot be made, and why."""
    for folder in reversed(path.parents):
        if folder.exists() and not folder.is_dir():
            return f"the cache cannot be used: {folder} is a file, expected a folder"
    if not path.parent.is_dir():
        return f"the folder {path.parent} of the cache cannot be made ({error.strerror or error})"
    return f"{path} cannot be written ({error.strerror or error})"
