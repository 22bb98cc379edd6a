"""A fresh compressor of each format, set to its strongest; formats from packages are optional."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol

_LARGEST_XZ_DICTIONARY = 64 << 20
_PPMD_ORDER = 6
_PPMD_MEMORY = 256 << 20


class Compressor(Protocol):
    """What zlib, bz2, lzma and zstandard share."""

    def compress(self, data: bytes, /) -> bytes: ...
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
    size = min(max(num_bytes, 4096), _LARGEST_XZ_DICTIONARY)
    lzma2 = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": size}
    return lzma.LZMACompressor(filters=[lzma2])


def zstd_compressor(num_bytes: int) -> Compressor:
    """zstd --ultra -22 as it is for a file of num_bytes; its window holds up to 128 MiB.

    Long-distance matching is off: the binary tree of this level finds what lies in the window.
    """
    zstandard = _import("zstandard")
    parameters = zstandard.ZstdCompressionParameters.from_level(22, source_size=num_bytes)
    compressor: Compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor


def brotli_compressor(num_bytes: int) -> Compressor:
    """brotli -q 11 -w 24: 16 MiB are the largest window without the "large window" extension,
    which the Python binding does not offer.
    """
    brotli = _import("brotli")
    compressor = brotli.Compressor(quality=11, lgwin=24)
    return _Renamed(compressor.process, compressor.finish)


def ppmd_compressor(num_bytes: int) -> Compressor:
    """PPMd variant H, the one of 7z, of order 6 with 256 MiB, which hold the model of 100 MB.

    The bare stream, without the constant header that a .7z file has around it.
    """
    encoder = _import("pyppmd").Ppmd7Encoder(_PPMD_ORDER, _PPMD_MEMORY)
    return _Renamed(encoder.encode, encoder.flush)


COMPRESSORS: Mapping[str, Callable[[int], Compressor]] = {
    "gzip": gzip_compressor,
    "bzip2": bzip2_compressor,
    "xz": xz_compressor,
    "zstd": zstd_compressor,
    "brotli": brotli_compressor,
    "ppmd": ppmd_compressor,
}
"""Given the number of bytes it is to see at most, a fresh compressor.

Raises ImportError where the format's package is not installed.
"""


class _Renamed:
    """A compressor whose methods go by other names."""

    def __init__(self, compress: Callable[[bytes], bytes], flush: Callable[[], bytes]) -> None:
        self.compress = compress
        self.flush = flush


def _import(package: str) -> Any:
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"the package '{package}' is not installed; run: pip install 'seqzoo[baselines]'"
        ) from error
