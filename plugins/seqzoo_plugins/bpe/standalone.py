"""The tokenizer `bpe` for exported folders; this file needs no seqzoo, and is slow and short."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

# Merges do not cross these words.
_WORD = re.compile(
    rb"""
      [ ]? [A-Za-z\x80-\xff]{1,64}
    | [ ]? [0-9]{1,64}
    | [ ]? [^\sA-Za-z0-9\x80-\xff]{1,64}
    | \s{1,64} (?!\S)
    | \s{1,64}
    """,
    re.VERBOSE,
)


class Tokenizer:
    """Byte pairs: ids 0 to 255 are the bytes, and each merge joins two tokens to one.

    state: `merges`, pairs of ids, in the order in which they are applied.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self.bytes_of = [bytes([value]) for value in range(256)]
        ids = {token: number for number, token in enumerate(self.bytes_of)}
        self.merge = {}
        for rank, (left, right) in enumerate(state["merges"]):
            joined = self.bytes_of[left] + self.bytes_of[right]
            if joined not in ids:  # two pairs can give the same bytes
                ids[joined] = len(ids)
                self.bytes_of.append(joined)
            self.merge[left, right] = (rank, ids[joined])

    def encode(self, data: bytes) -> list[int]:
        """The tokens of a text."""
        return [token for word in _WORD.findall(data) for token in self._merged(list(word))]

    def decode(self, tokens: Iterable[int]) -> bytes:
        """The bytes of any tokens."""
        return b"".join(self.bytes_of[token] for token in tokens)

    def _merged(self, word: list[int]) -> list[int]:
        """The first merge in the list is made, the leftmost pair first, until there is none."""
        while True:
            pairs = enumerate(pairwise(word))
            found = [(*self.merge[pair], i) for i, pair in pairs if pair in self.merge]
            if not found:
                return word
            _, joined, place = min(found, key=lambda each: (each[0], each[2]))
            word[place : place + 2] = [joined]
