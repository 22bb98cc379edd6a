"""An arithmetic coder: the number of bytes that a model's probabilities really need.

Integer arithmetic on an interval of 48 bits, with carries as Witten, Neal and Cleary (1987) avoid
them: the interval is doubled when its first bit is known, and when it is close around the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["decode", "encode"]

_TOP = 1 << 48
_HALF, _QUARTER = _TOP // 2, _TOP // 4
_TOTAL = 1 << 30

Frequencies = npt.NDArray[np.int64]


def encode(symbols: Sequence[int], probabilities: npt.NDArray[np.float64]) -> bytes:
    """A file from which `decode` gets the symbols back.

    symbols: (N,). probabilities: (N, V), of each symbol given those before it.
    """
    low, high, waiting = 0, _TOP - 1, 0
    bits: list[int] = []

    def write(bit: int) -> None:
        nonlocal waiting
        bits.extend([bit] + [1 - bit] * waiting)
        waiting = 0

    for symbol, row in zip(symbols, probabilities, strict=True):
        edges = _edges(row)
        width = high - low + 1
        high = low + width * int(edges[symbol + 1]) // int(edges[-1]) - 1
        low = low + width * int(edges[symbol]) // int(edges[-1])
        while True:
            if high < _HALF:
                write(0)
            elif low >= _HALF:
                write(1)
                low, high = low - _HALF, high - _HALF
            elif low >= _QUARTER and high < 3 * _QUARTER:
                waiting += 1
                low, high = low - _QUARTER, high - _QUARTER
            else:
                break
            low, high = 2 * low, 2 * high + 1
    waiting += 1
    write(int(low >= _QUARTER))
    return np.packbits(np.array(bits, dtype=np.uint8)).tobytes()


def decode(
    content: bytes, count: int, next_probabilities: Callable[[list[int]], npt.NDArray[np.float64]]
) -> list[int]:
    """`count` symbols of a file; next_probabilities: (V,), given the symbols so far."""
    bits = _bits(content)
    low, high, value = 0, _TOP - 1, 0
    for _ in range(48):
        value = 2 * value + next(bits)
    symbols: list[int] = []
    for _ in range(count):
        edges = _edges(next_probabilities(symbols))
        width = high - low + 1
        place = ((value - low + 1) * int(edges[-1]) - 1) // width
        symbol = int(np.searchsorted(edges, place, side="right")) - 1
        symbols.append(symbol)
        high = low + width * int(edges[symbol + 1]) // int(edges[-1]) - 1
        low = low + width * int(edges[symbol]) // int(edges[-1])
        while True:
            if high < _HALF:
                taken = 0
            elif low >= _HALF:
                taken = _HALF
            elif low >= _QUARTER and high < 3 * _QUARTER:
                taken = _QUARTER
            else:
                break
            low, high, value = 2 * (low - taken), 2 * (high - taken) + 1, 2 * (value - taken)
            value += next(bits)
    return symbols


def _edges(probabilities: npt.NDArray[np.float64]) -> Frequencies:
    """(V + 1,) where the share of each symbol begins; none is empty."""
    frequencies = np.maximum(1, (probabilities * _TOTAL).astype(np.int64))
    return np.concatenate([[0], np.cumsum(frequencies)])


def _bits(content: bytes) -> Iterator[int]:
    yield from np.unpackbits(np.frombuffer(content, dtype=np.uint8)).tolist()
    while True:
        yield 0
