"""A new compressor for each format at its strongest level; some formats need optional packages."""

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
    """The common interface of zlib, bz2, lzma and zstandard."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def gzip_compressor(num_bytes: int) -> Compressor:
    """gzip -9n: no name, and a modification time of 0."""
    return zlib.compressobj(9, zlib.DEFLATED, wbits=31)


def bzip2_compressor(num_bytes: int) -> Compressor:
    """bzip2 -9."""
    return bz2.BZ2Compressor(9)


def xz_compressor(num_bytes: int) -> Compressor:
    """xz -9e with a dictionary of num_bytes, at most the 64 MiB of -9.

    It needs eleven times its dictionary in memory, so the dictionary is not larger than the text.
    """
    size = min(max(num_bytes, 4096), _LARGEST_XZ_DICTIONARY)
    lzma2 = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": size}
    return lzma.LZMACompressor(filters=[lzma2])


def zstd_compressor(num_bytes: int) -> Compressor:
    """zstd --ultra -22 with its settings for a file of num_bytes; its window is at most 128 MiB.

    Long-distance matching is off: the binary tree of this level finds all matches in the window.
    """
    zstandard = _import("zstandard")
    parameters = zstandard.ZstdCompressionParameters.from_level(22, source_size=num_bytes)
    compressor: Compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor


def brotli_compressor(num_bytes: int) -> Compressor:
    """brotli -q 11 -w 24. 16 MiB is the largest window without the "large window" extension,
    which the Python binding does not offer.
    """
    brotli = _import("brotli")
    compressor = brotli.Compressor(quality=11, lgwin=24)
    return _Renamed(compressor.process, compressor.finish)


def ppmd_compressor(num_bytes: int) -> Compressor:
    """PPMd variant H, as in 7z, of order 6, with 256 MiB, enough for the model of 100 MB of text.

    The plain stream, without the constant header of a .7z file.
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
"""The largest number of bytes it will read to a new compressor.

Raises ImportError if the format's package is not installed.
"""


class _Renamed:
    """A compressor whose methods have other names."""

    def __init__(self, compress: Callable[[bytes], bytes], flush: Callable[[], bytes]) -> None:
        self.compress = compress
        self.flush = flush


def _import(package: str) -> Any:
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"the package '{package}' is not installed; run: pip install '{package}'", name=package
        ) from error
