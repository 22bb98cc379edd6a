"""A play from random bits: its bytes, and the code length of each.

The bits are SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195) over a counter,
implemented here, so that they are the same on every machine and with every version of NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from seqzoo_plugins.pastiche.play import Play
from seqzoo_plugins.pastiche.verse import Script

__all__ = ["draws", "generate", "generate_play"]

_GAMMA = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_BLOCK = 4096


def _mix(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _splitmix(key: int, first: int, count: int) -> npt.NDArray[np.uint64]:
    """Outputs first, first+1, ... of SplitMix64 seeded with key."""
    counter = np.arange(first + 1, first + 1 + count, dtype=np.uint64)
    return _mix(counter * np.uint64(_GAMMA) + np.uint64(key))


def draws(seed: int, play: int) -> Iterator[int]:
    """Endless 64-bit draws of one play of one seed."""
    key = int(_splitmix(int(_splitmix(seed & _MASK, 0, 1)[0]), play, 1)[0])
    first = 0
    while True:
        yield from _splitmix(key, first, _BLOCK).tolist()
        first += _BLOCK


def generate_play(seed: int, play: int) -> tuple[bytes, npt.NDArray[np.float64]]:
    """The text of a play, N bytes, and (N,) code lengths in bits given all earlier bytes."""
    return generate(Play().script(), draws(seed, play))


def generate(script: Script, source: Iterator[int]) -> tuple[bytes, npt.NDArray[np.float64]]:
    """Draw every choice of a script; a table with one text needs no draw."""
    parts: list[bytes] = []
    bits: list[float] = []
    pending = 0.0  # code length of the end of the previous text
    index: int | None = None
    while True:
        try:
            table = next(script) if index is None else script.send(index)
        except StopIteration:
            break
        index = 0
        if len(table.texts) > 1:
            draw = next(source)
            while draw >= table.limit:
                draw = next(source)
            index = table.index(draw)
        first, rest, end = table.code(index)
        parts.append(table.texts[index])
        bits.append(first + pending)
        bits.extend(rest)
        pending = end
    if pending:
        raise ValueError("a script must end with a text that is not the beginning of another text")
    return b"".join(parts), np.array(bits)
