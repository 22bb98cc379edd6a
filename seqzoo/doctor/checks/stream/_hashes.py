"""Where stretches of bytes occur in a text of any size: rolling hashes, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["found_in", "hashes", "hashes_of_rows", "places_in"]

_BLOCK = 1 << 18
"""The hashes of one block (2 MB) stay in the cache of a core, for a text of any size."""

_MULTIPLIER = 0x9E3779B97F4A7C15
_BITMAP_BITS = 20


def hashes(data: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint64]:
    """(N - width + 1,) hashes of 64 bits, one of every window of `width` bytes, a power of two.

    The hash of a window is made from those of its halves, so it takes log2(width) steps.
    """
    return _rolled(data, width)


def hashes_of_rows(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """(K,) the hashes of (K, width) windows."""
    return _rolled(rows, rows.shape[1])[:, 0]


def found_in(
    sought: npt.NDArray[np.uint64], text: npt.NDArray[np.uint8], width: int
) -> npt.NDArray[np.bool_]:
    """For each of the hashes, whether a window of the text has it: then the bytes are equal, with
    an error probability of len(text) * len(sought) / 2^64.
    """
    order = np.sort(sought)
    found = np.zeros(len(order), dtype=bool)
    for _, known in _candidates(order, text, width):
        found[_matching(order, known)[1]] = True
    return found[np.searchsorted(order, sought)]


def places_in(
    sought: npt.NDArray[np.uint64], text: npt.NDArray[np.uint8], width: int
) -> npt.NDArray[np.int64]:
    """For each of the hashes the place where the window begins that has it; -1 if none or several
    windows have it.
    """
    order = np.unique(sought)
    counts, places = np.zeros(len(order), dtype=np.int64), np.full(len(order), -1)
    for starts, known in _candidates(order, text, width):
        matches, at = _matching(order, known)
        np.add.at(counts, at, 1)
        places[at] = starts[matches]
    places[counts != 1] = -1
    return places[np.searchsorted(order, sought)]


def _candidates(
    sought: npt.NDArray[np.uint64], text: npt.NDArray[np.uint8], width: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]]:
    """For each block of the text, places and hashes of the windows that may be among those sought:
    all that are, and few others.
    """
    # The low bits of such a hash depend on few bits of the bytes, the high bits on all.
    shift = np.uint64(64 - _BITMAP_BITS)
    is_candidate = np.zeros(1 << _BITMAP_BITS, dtype=bool)
    is_candidate[(sought >> shift).astype(np.int64)] = True
    for number, block in enumerate(_blocks(text, width)):
        known = hashes(block, width)
        chosen = np.flatnonzero(is_candidate[(known >> shift).astype(np.int64)])
        yield number * _BLOCK + chosen, known[chosen]


def _matching(
    order: npt.NDArray[np.uint64], known: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Which of the known hashes are in the sorted ones, and at which index those are."""
    at = np.minimum(np.searchsorted(order, known), len(order) - 1)
    matches = order[at] == known
    return matches, at[matches]


def _rolled(data: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint64]:
    """(..., N - width + 1) along the last axis."""
    values = np.random.default_rng(0).integers(1, 1 << 63, size=256, dtype=np.uint64)
    result, multiplier, size = values[data], _MULTIPLIER, 1
    while size < width:
        result = result[..., :-size] * np.uint64(multiplier) + result[..., size:]
        multiplier = multiplier * multiplier % (1 << 64)
        size *= 2
    return result


def _blocks(text: npt.NDArray[Any], width: int) -> Iterator[npt.NDArray[np.uint8]]:
    """The text in pieces that overlap, so that every window is whole in one."""
    for start in range(0, len(text) - width + 1, _BLOCK):
        yield np.asarray(text[start : start + _BLOCK + width - 1])
