"""One choice: the words that can come next, their integer weights, and their code lengths."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from math import log2
from typing import Any, NamedTuple

__all__ = ["Code", "Entry", "Table", "blend"]

Entry = tuple[str, int, Any]
"""A text, its weight, and a tag that identifies the choice for the grammar."""


class Code(NamedTuple):
    """Bits of each byte of a text, and the bits of its end.

    A reader sees from the following byte that the text ended, so `end` is added to that byte.
    """

    first: float
    rest: tuple[float, ...]
    end: float


class Table:
    """Texts of which one comes next, each with a probability that is a ratio of integers.

    No text may occur twice. A text may be the beginning of another ("the", "them") if the text
    after the table can never continue the longer one. The grammar ensures this: words are letters
    and are followed by blanks or punctuation. The tests check it.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        kept = [entry for entry in entries if entry[1] > 0]
        self.texts = tuple(text.encode() for text, _, _ in kept)
        self.weights = tuple(weight for _, weight, _ in kept)
        self.tags = tuple(tag for _, _, tag in kept)
        if not kept or b"" in self.texts:
            raise ValueError("a table needs at least one text, and no text may be empty")
        if len(set(self.texts)) < len(self.texts):
            twice = sorted({text for text in self.texts if self.texts.count(text) > 1})
            raise ValueError(f"texts occur twice in one table: {twice}")
        self.cumulative = list(accumulate(self.weights))
        self.total = total = self.cumulative[-1]
        # 64-bit draws from this value on would favour the first texts; they are drawn again.
        self.limit = (1 << 64) // total * total
        self._codes: dict[int, Code] = {}

    def index(self, draw: int) -> int:
        """The text that a 64-bit draw below `limit` chooses."""
        return bisect_right(self.cumulative, draw % self.total)

    def code(self, index: int) -> Code:
        """Code length of each byte of a text, from ratios of the weights that share a prefix."""
        if (known := self._codes.get(index)) is not None:
            return known
        text = self.texts[index]
        ordered, below = self._ordered
        first, last = 0, len(ordered)
        shared = [log2(self.total)]
        for length in range(1, len(text) + 1):
            # Texts that share a prefix are neighbours; 0xff is above every byte of UTF-8.
            prefix = text[:length]
            first = bisect_left(ordered, prefix, first, last)
            last = bisect_left(ordered, prefix + b"\xff", first, last)
            shared.append(log2(below[last] - below[first]))
        bits = [before - after for before, after in pairwise(shared)]
        code = Code(bits[0], tuple(bits[1:]), shared[-1] - log2(self.weights[index]))
        self._codes[index] = code
        return code

    @cached_property
    def _ordered(self) -> tuple[list[bytes], list[int]]:
        """The texts in byte order, and the weight of all texts before each."""
        pairs = sorted(zip(self.texts, self.weights, strict=True))
        below = [0, *accumulate(weight for _, weight in pairs)]
        return [text for text, _ in pairs], below

    @cached_property
    def capitalised(self) -> Table:
        """The same choice at the beginning of a line or sentence, with a capital letter."""
        texts = (text.decode() for text in self.texts)
        return Table(
            (text[0].upper() + text[1:], weight, tag)
            for text, weight, tag in zip(texts, self.weights, self.tags, strict=True)
        )


def blend(*parts: tuple[int, Sequence[Entry]]) -> list[Entry]:
    """Entries of several lists in one list; each list has its share of the total weight."""
    entries: list[Entry] = []
    for share, part in parts:
        total = sum(weight for _, weight, _ in part)
        # Rounded down to an integer, which is then the exact weight.
        entries += [
            (text, max(1, (share * weight << 12) // total), tag) for text, weight, tag in part
        ]
    return entries
