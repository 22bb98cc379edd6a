"""The tokenizer `chars` for exported folders; this file needs no seqzoo."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Tokenizer:
    """Ids 0 to n-1 are the known byte values; id n, the escape, begins any other.

    After the escape come two digits: the value of the byte in base n, the high digit first. state:
    `symbols`, the known values in order.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self.symbols = state["symbols"]
        self.escape = len(self.symbols)
        self.id_of = {value: number for number, value in enumerate(self.symbols)}

    def encode(self, data: bytes) -> list[int]:
        """The tokens of a text."""
        tokens = []
        for value in data:
            known = self.id_of.get(value)
            tokens += [self.escape, *divmod(value, self.escape)] if known is None else [known]
        return tokens

    def decode(self, tokens: Iterable[int]) -> bytes:
        """The bytes of any tokens; an escape without two digits of a byte gives nothing."""
        found = bytearray()
        digits: list[int] | None = None
        for token in tokens:
            if token == self.escape:
                digits = []
            elif digits is None:
                found.append(self.symbols[token])
            else:
                digits.append(token)
                if len(digits) == 2:
                    value = digits[0] * self.escape + digits[1]
                    found += bytes([value]) if value < 256 else b""
                    digits = None
        return bytes(found)
