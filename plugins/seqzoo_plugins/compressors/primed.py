"""The bytes that a split adds to the compressed training part; neither is kept in memory.

Sizes are those of the files that the command-line tools write: a split's bits are
8 * (size(training + split) - size(training)), so that headers cancel.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import numpy.typing as npt

from seqzoo import Span
from seqzoo_plugins.compressors.formats import COMPRESSORS

_BLOCK = 1 << 16  # brotli takes half a second for it; a baseline is stopped between blocks
_LARGE_BYTES = 1 << 24
_SHARE_EVERY_SECONDS = 0.5


def primed_bits(
    name: str, training: npt.NDArray[np.uint8], splits: Mapping[str, Span]
) -> Generator[float, None, dict[str, float]]:
    """Returns the bits that each split adds to the compressed training part.

    It yields the finished share now and then; closed there, it ends within a block.
    Raises ImportError if the compressor's package is not installed.
    """
    # Only gzip can copy a compressor that has read the training part; the others start again.
    added = [training[:0], *(span.bytes for span in splits.values())]
    feeds = [_Feed(name, training, split) for split in added]
    num_bytes = max(1, sum(feed.num_bytes for feed in feeds))
    # All compressors release Python's lock. Large texts need up to 0.8 GB each: fewer at once.
    most = max(feed.num_bytes for feed in feeds)
    with ThreadPoolExecutor(2 if most > _LARGE_BYTES else 4) as threads:
        try:
            running = [threads.submit(feed.size, most) for feed in feeds]
            while wait(running, timeout=_SHARE_EVERY_SECONDS).not_done:
                yield sum(feed.read for feed in feeds) / num_bytes
        finally:
            for feed in feeds:
                feed.is_stopped.set()
        alone, *together = [future.result() for future in running]
    return {split: 8.0 * (total - alone) for split, total in zip(splits, together, strict=True)}


class _Feed:
    """The training part and a split, given to one compressor block by block.

    num_bytes: of both. read: how many it has been given. is_stopped: set from another thread.
    """

    def __init__(
        self, name: str, training: npt.NDArray[np.uint8], split: npt.NDArray[np.uint8]
    ) -> None:
        self._name = name
        self._parts = (training, split)
        self.num_bytes = len(training) + len(split)
        self.read = 0
        self.is_stopped = threading.Event()

    def size(self, most: int) -> int:
        """The number of compressed bytes; without meaning if it was stopped.

        most: the largest number of bytes that any compressor of the same baseline is given.
        """
        compressor = COMPRESSORS[self._name](most)
        written = 0
        for data in self._parts:
            for start in range(0, len(data), _BLOCK):
                if self.is_stopped.is_set():
                    return 0
                block = data[start : start + _BLOCK].tobytes()
                written += len(compressor.compress(block))
                self.read += len(block)
        return written + len(compressor.flush())
