"""The tokenizer `bytes` for exported folders; this file needs no seqzoo."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Tokenizer:
    """A token is the value of a byte. state: nothing."""

    def __init__(self, state: dict[str, Any]) -> None:
        del state

    def encode(self, data: bytes) -> list[int]:
        """The tokens of a text."""
        return list(data)

    def decode(self, tokens: Iterable[int]) -> bytes:
        """The bytes of any tokens."""
        return bytes(tokens)
