"""Texts and a tokenizer for the laws, made here so that they need no file and no plugin."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo.plugin.contracts import Tokenizer

__all__ = ["ByteIds", "SpelledIds", "as_array", "noise", "words"]


def as_array(data: bytes) -> npt.NDArray[np.uint8]:
    """(N,) read-only, as a memory-mapped corpus is."""
    return np.frombuffer(data, dtype=np.uint8)


def words(size: int, seed: int = 0) -> bytes:
    """Text of `size` bytes: sentences of words that occur again, with some rare bytes."""
    draw = np.random.default_rng(seed)
    known = ["".join(draw.choice(list("etaoinshrdlu"), draw.integers(1, 8))) for _ in range(60)]
    chosen = [known[place] for place in draw.integers(0, len(known), size // 2 + 1)]
    text = "".join(word + (".\n" if place % 9 == 8 else " ") for place, word in enumerate(chosen))
    return text.replace("ee", "\u00e9").encode()[:size]


def noise(size: int, seed: int = 0) -> bytes:
    """Independent uniform bytes."""
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()


class ByteIds(Tokenizer):
    """Each id below `vocab_size` is the byte of its value."""

    def __init__(self, vocab_size: int = 256) -> None:
        self.vocab_size = vocab_size

    def encode(self, data: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """The same numbers."""
        return data

    def decode(self, tokens: npt.NDArray[Any]) -> bytes:
        """The same numbers."""
        return bytes(np.asarray(tokens).astype(np.uint8))

    def byte_lengths(self, tokens: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """One byte each."""
        return np.ones(len(tokens), dtype=np.int64)


class SpelledIds(ByteIds):
    """Each id is the byte at its place in `spelling`, in which no byte occurs twice."""

    def __init__(self, spelling: bytes) -> None:
        super().__init__(len(spelling))
        self.spelling = spelling

    def encode(self, data: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """The place of each byte; bytes that are not in the spelling have none."""
        return np.array([self.spelling.index(byte) for byte in data], dtype=np.uint8)

    def decode(self, tokens: npt.NDArray[Any]) -> bytes:
        """The bytes at these places."""
        return bytes(self.spelling[int(token)] for token in tokens)
