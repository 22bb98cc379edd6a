"""An alphabet of byte values learned from the text, and an escape that encodes all other bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo import Tokenizer

_BLOCK = 1 << 20
"""Bytes processed at once. This bounds the memory that encoding needs besides the ids."""

_FEWEST_SYMBOLS = 16
"""With at least 16 symbols, two digits can express any byte value."""


class CharTokenizer(Tokenizer):
    """Ids 0 to n-1 are the n learned byte values in ascending order; id n is the escape.

    Any other byte is written as the escape and two digits: its value in base n, high digit first.
    A digit is the id with that number, so it is the id of a learned byte. The escape is the only id
    that does not occur in the training part, and the cost of such a byte is that of three tokens.

    If the training part has fewer than 16 values, the lowest missing ones are added.
    """

    def __init__(self) -> None:
        self._set_symbols(range(_FEWEST_SYMBOLS))

    def learn(self, training: npt.NDArray[np.uint8]) -> None:
        present = _histogram(training) > 0
        missing = _FEWEST_SYMBOLS - int(present.sum())
        if missing > 0:
            present[np.flatnonzero(~present)[:missing]] = True
        self._set_symbols(np.flatnonzero(present).tolist())

    def encode(self, data: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        num_escaped = int(_histogram(data)[self._id_of == self._escape].sum())
        tokens = np.empty(len(data) + 2 * num_escaped, dtype=self._id_of.dtype)
        end = 0
        for block in _blocks(data):
            ids = self._id_of[block]
            if num_escaped:
                ids = self._insert_digits(ids, block)
            tokens[end : end + len(ids)] = ids
            end += len(ids)
        return tokens

    def decode(self, tokens: npt.NDArray[Any]) -> bytes:
        """The bytes of the ids, also of ids that no encoder wrote, such as a model's samples.

        An escape takes the next two ids as digits. It gives no byte if their value is above 255, if
        the ids end first, or if another escape follows, which then starts again.
        """
        completes, last_digits = self._completes_byte(tokens)
        values = self._byte_of[tokens]
        values[last_digits] = self._written_values(tokens, last_digits)
        text: bytes = values[completes].tobytes()
        return text

    def byte_lengths(self, tokens: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """An escaped byte counts at its last digit; escape and first digit have length 0."""
        return self._completes_byte(tokens)[0].astype(np.int64)

    def state(self) -> Mapping[str, Any]:
        return {"symbols": list(self._symbols)}

    def restore(self, state: Mapping[str, Any]) -> None:
        symbols = state.get("symbols")
        if (
            set(state) != {"symbols"}
            or not isinstance(symbols, list)
            or not all(type(symbol) is int and 0 <= symbol < 256 for symbol in symbols)
            or symbols != sorted(set(symbols))
            or len(symbols) < _FEWEST_SYMBOLS
        ):
            raise ValueError(
                f"expected 'symbols', at least {_FEWEST_SYMBOLS} ascending byte values; "
                f"found {dict(state)!r:.80}"
            )
        self._set_symbols(symbols)

    def _set_symbols(self, symbols: Sequence[int]) -> None:
        self._symbols = list(symbols)
        self._escape = len(self._symbols)
        self.vocab_size = self._escape + 1
        self._byte_of = np.array([*self._symbols, 0], dtype=np.uint8)  # the last is unused
        self._id_of = np.full(256, self._escape, dtype=np.min_scalar_type(self._escape))
        self._id_of[self._symbols] = np.arange(self._escape)

    def _insert_digits(
        self, ids: npt.NDArray[Any], block: npt.NDArray[np.uint8]
    ) -> npt.NDArray[Any]:
        """The ids of a block with two digits after every escape."""
        escapes = np.flatnonzero(ids == self._escape)
        lengths = np.ones(len(ids), dtype=np.intp)
        lengths[escapes] = 3
        places = np.cumsum(lengths) - lengths
        tokens = np.empty(len(ids) + 2 * len(escapes), dtype=ids.dtype)
        tokens[places] = ids
        high, low = np.divmod(block[escapes].astype(np.intp), self._escape)
        tokens[places[escapes] + 1] = high
        tokens[places[escapes] + 2] = low
        return tokens

    def _completes_byte(
        self, tokens: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
        """Which ids complete a byte, (M,) bool, and the positions of the last digits."""
        escape = tokens == self._escape
        if not escape.any():
            return ~escape, np.empty(0, dtype=np.intp)
        first_digit = _after(escape) & ~escape
        second_digit = _after(first_digit) & ~escape
        completes = ~(escape | first_digit | second_digit)
        last_digits = np.flatnonzero(second_digit)
        last_digits = last_digits[self._written_values(tokens, last_digits) < 256]
        completes[last_digits] = True
        return completes, last_digits

    def _written_values(
        self, tokens: npt.NDArray[Any], last_digits: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.intp]:
        high = tokens[last_digits - 1].astype(np.intp)
        values: npt.NDArray[np.intp] = high * self._escape + tokens[last_digits]
        return values


def _after(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """True where the previous entry is True."""
    return np.concatenate([np.zeros(1, dtype=bool), mask[:-1]])


def _blocks(data: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, len(data), _BLOCK):
        yield data[start : start + _BLOCK]


def _histogram(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """(256,) number of occurrences of each byte value."""
    counts = np.zeros(256, dtype=np.intp)
    for block in _blocks(data):
        counts += np.bincount(block, minlength=256)
    return counts
