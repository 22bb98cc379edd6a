"""Distinct byte strings and their counts as sorted arrays, without a table of 256**k entries.

A string of up to eight bytes is one uint64, its first byte the most significant, so that sorting
the numbers sorts the strings and the prefixes of sorted strings are sorted too.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Keys: TypeAlias = npt.NDArray[np.uint64]
Counts: TypeAlias = npt.NDArray[np.int64]

_BLOCK = 1 << 24


class Grams(NamedTuple):
    """keys: (U,) distinct strings, ascending. counts: (U,) how often each occurs."""

    keys: Keys
    counts: Counts


def pack(data: npt.NDArray[np.uint8], length: int) -> Keys:
    """(N,) bytes to the (N - length + 1,) strings of that length, in file order."""
    size = max(0, len(data) - length + 1)
    keys = np.zeros(size, dtype=np.uint64)
    for offset in range(length):
        keys <<= np.uint64(8)
        keys |= data[offset : offset + size]
    return keys


def count(data: npt.NDArray[np.uint8], length: int) -> Grams:
    """All strings of that length in (N,) bytes; needs memory for one block besides the result."""
    total = Grams(np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64))
    for start in range(0, len(data), _BLOCK):
        block = np.unique(
            pack(data[start : start + _BLOCK + length - 1], length), return_counts=True
        )
        total = _merged(total, Grams(*block))
    return total


def prefixes(
    longest: Grams, data: npt.NDArray[np.uint8], *, longest_length: int, length: int
) -> Grams:
    """`count(data, length)` from the counts of a greater length, without another pass."""
    shift = np.uint64(8 * (longest_length - length))
    # At the last few positions a long string does not fit, but a short one does.
    tail = pack(data[max(0, len(data) - longest_length + 1) :], length)
    return _merged(
        Grams(longest.keys >> shift, longest.counts),
        Grams(tail, np.ones(len(tail), dtype=np.int64)),
    )


def suffix(keys: Keys, length: int) -> Keys:
    """The last `length` bytes of each string."""
    return keys & np.uint64((1 << 8 * length) - 1)


def predecessors(longer: Grams, keys: Keys, *, length: int) -> Counts:
    """The number of distinct bytes that precede each of the strings `keys`.

    longer: the strings that are one byte longer than `length`.
    """
    followed, counts = np.unique(suffix(longer.keys, length), return_counts=True)
    result = np.zeros(len(keys), dtype=np.int64)
    result[np.searchsorted(keys, followed)] = counts
    return result


def find(sorted_keys: Keys, wanted: Keys) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """The position of each wanted key (0 if it is absent), and whether it is present."""
    place = np.searchsorted(sorted_keys, wanted)
    place[place == len(sorted_keys)] = 0
    if not len(sorted_keys):
        return place, np.zeros(len(wanted), dtype=np.bool_)
    return place, sorted_keys[place] == wanted


def _merged(one: Grams, other: Grams) -> Grams:
    keys = np.concatenate([one.keys, other.keys])
    order = np.argsort(keys, kind="stable")  # linear for sorted parts
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)])
    if not len(starts):
        return one
    return Grams(
        keys[starts], np.add.reduceat(np.concatenate([one.counts, other.counts])[order], starts)
    )
