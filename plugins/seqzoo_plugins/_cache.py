"""Files in the cache: written beside their place and moved there whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from seqzoo import CorpusUnavailable

__all__ = ["map_bytes", "write_whole"]


def map_bytes(path: Path, num_bytes: int | None = None) -> np.ndarray:
    """(N,) uint8, read-only: a file, or its first num_bytes, without reading it into memory."""
    shape = None if num_bytes is None else (num_bytes,)
    return np.memmap(path, dtype=np.uint8, mode="r", shape=shape)


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts to a file that appears when it is complete.

    Two processes may write the same file at once; the last to finish wins. Raises
    CorpusUnavailable where the disk refuses.
    """
    partial = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
        os.replace(partial, path)
        partial = ""
    except OSError as error:
        raise CorpusUnavailable(
            f"{path} could not be written ({error.strerror or error}); free some space, or set "
            f"SEQZOO_CACHE to a folder that can be written."
        ) from error
    finally:
        if partial:
            Path(partial).unlink(missing_ok=True)
