"""The bytes that a split adds to the compressed training part; neither is kept in memory.

Sizes are those of the files that the command-line tools write: a split's bits are
8 * (size(training + split) - size(training)), so that headers cancel.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from seqzoo import Span
from seqzoo_plugins.compressors.formats import COMPRESSORS, Compressor

_BLOCK = 1 << 20
_LARGE_BYTES = 1 << 24


def primed_bits(
    name: str, training: npt.NDArray[np.uint8], splits: Mapping[str, Span]
) -> dict[str, float]:
    """Bits that each split adds to the compressed training part.

    Raises ImportError if the compressor's package is not installed.
    """
    most = len(training) + max(map(len, splits.values()), default=0)

    def size(split: npt.NDArray[np.uint8]) -> int:
        # Only gzip can copy a compressor that has read the training part; the others start again.
        compressor = COMPRESSORS[name](most)
        written = _feed(compressor, training) + _feed(compressor, split)
        return written + len(compressor.flush())

    # All compressors release Python's lock. Large texts need up to 0.8 GB each: fewer at once.
    with ThreadPoolExecutor(2 if most > _LARGE_BYTES else 4) as threads:
        alone, *together = threads.map(size, [training[:0], *(s.bytes for s in splits.values())])
    return {split: 8.0 * (total - alone) for split, total in zip(splits, together, strict=True)}


def _feed(compressor: Compressor, data: npt.NDArray[np.uint8]) -> int:
    """Compress block by block; returns the number of bytes written so far."""
    return sum(
        len(compressor.compress(data[start : start + _BLOCK].tobytes()))
        for start in range(0, len(data), _BLOCK)
    )
