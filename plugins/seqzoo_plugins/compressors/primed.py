"""What a split adds to the size of the compressed training part, without holding either.

Sizes are those of the files that the command-line tools write: a split's bits are
8 * (size(training + split) - size(training)), so that headers cancel.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seqzoo import Span

_BLOCK = 1 << 20
_LARGEST_DICTIONARY = 64 << 20


class Compressor(Protocol):
    """What zlib, bz2 and lzma share."""

    def compress(self, data: Any, /) -> bytes: ...
    def flush(self) -> bytes: ...


def gzip_compressor(num_bytes: int) -> Compressor:
    """gzip -9n: no name, and a modification time of 0."""
    return zlib.compressobj(9, zlib.DEFLATED, wbits=31)


def bzip2_compressor(num_bytes: int) -> Compressor:
    """bzip2 -9."""
    return bz2.BZ2Compressor(9)


def xz_compressor(num_bytes: int) -> Compressor:
    """xz -9e with a dictionary that holds num_bytes, up to the 64 MiB that -9 has.

    It takes eleven times its dictionary in memory, so one no larger than the text is used.
    """
    size = min(max(num_bytes, 4096), _LARGEST_DICTIONARY)
    lzma2 = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": size}
    return lzma.LZMACompressor(filters=[lzma2])


COMPRESSORS: Mapping[str, Callable[[int], Compressor]] = {
    "gzip": gzip_compressor,
    "bzip2": bzip2_compressor,
    "xz": xz_compressor,
}
"""Given the number of bytes it is to see at most, a fresh compressor."""


def primed_bits(
    name: str, training: npt.NDArray[np.uint8], splits: Mapping[str, Span]
) -> dict[str, float]:
    """Bits that each split adds to the compressed training part."""
    most = len(training) + max(map(len, splits.values()), default=0)
    primed = COMPRESSORS[name](most)
    size = _feed(primed, training)
    # zlib's state can be copied; the others' cannot, and read the training part again.
    copy: Callable[[], Compressor] | None = getattr(primed, "copy", None)
    bits = {}
    for split, span in splits.items():
        if copy is not None:
            continued, written = copy(), size
        else:
            continued = COMPRESSORS[name](most)
            written = _feed(continued, training)
        bits[split] = written + _feed(continued, span.bytes) + len(continued.flush())
    alone = size + len(primed.flush())
    return {split: 8.0 * (total - alone) for split, total in bits.items()}


def _feed(compressor: Compressor, data: npt.NDArray[np.uint8]) -> int:
    """Compress block by block; the number of bytes that came out so far."""
    return sum(
        len(compressor.compress(np.ascontiguousarray(data[start : start + _BLOCK])))
        for start in range(0, len(data), _BLOCK)
    )
