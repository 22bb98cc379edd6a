"""One point of choice: words that may come next, their integer weights, and what they cost."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from math import log2
from typing import Any, NamedTuple

__all__ = ["Code", "Entry", "Table", "blend"]

Entry = tuple[str, int, Any]
"""A text, its weight, and a tag that tells the grammar what was chosen."""


class Code(NamedTuple):
    """Bits that each byte of a text costs, and the bits that its end costs.

    That the text ends here is learnt from the byte that follows, so `end` is charged to it.
    """

    first: float
    rest: tuple[float, ...]
    end: float


class Table:
    """Texts of which one comes next, each with a probability that is a ratio of integers.

    No text may stand twice. A text may begin another ("the", "them") where what follows the
    table can never continue the longer one; the grammar keeps to that by following words, which
    are letters, with blanks and punctuation, and the tests hold it to that.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        kept = [entry for entry in entries if entry[1] > 0]
        self.texts = tuple(text.encode() for text, _, _ in kept)
        self.weights = tuple(weight for _, weight, _ in kept)
        self.tags = tuple(tag for _, _, tag in kept)
        if not kept or b"" in self.texts:
            raise ValueError("a table needs at least one text, and none may be empty")
        if len(set(self.texts)) < len(self.texts):
            twice = sorted({text for text in self.texts if self.texts.count(text) > 1})
            raise ValueError(f"texts stand twice in one table: {twice}")
        self.cumulative = list(accumulate(self.weights))
        self.total = total = self.cumulative[-1]
        # Draws of 64 bits from here on would favour the first texts; they are drawn again.
        self.limit = (1 << 64) // total * total
        self._codes: dict[int, Code] = {}

    def index(self, draw: int) -> int:
        """The text that a 64-bit draw below `limit` chooses."""
        return bisect_right(self.cumulative, draw % self.total)

    def code(self, index: int) -> Code:
        """What a text costs byte by byte: a ratio of the weights that share a prefix, in bits."""
        if (known := self._codes.get(index)) is not None:
            return known
        text = self.texts[index]
        ordered, below = self._ordered
        first, last = 0, len(ordered)
        shared = [log2(self.total)]
        for length in range(1, len(text) + 1):
            # Texts that share a prefix are neighbours; 0xff stands behind every byte of UTF-8.
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
        """The texts in alphabetical order, and the weight of all texts before each."""
        pairs = sorted(zip(self.texts, self.weights, strict=True))
        below = [0, *accumulate(weight for _, weight in pairs)]
        return [text for text, _ in pairs], below

    @cached_property
    def capitalised(self) -> Table:
        """The same choice where a line or a sentence begins."""
        texts = (text.decode() for text in self.texts)
        return Table(
            (text[0].upper() + text[1:], weight, tag)
            for text, weight, tag in zip(texts, self.weights, self.tags, strict=True)
        )


def blend(*parts: tuple[int, Sequence[Entry]]) -> list[Entry]:
    """Entries of several lists in one, each list with its share of the whole."""
    entries: list[Entry] = []
    for share, part in parts:
        total = sum(weight for _, weight, _ in part)
        # Rounded down to an integer, which then *is* the weight: nothing is approximated.
        entries += [
            (text, max(1, (share * weight << 12) // total), tag) for text, weight, tag in part
        ]
    return entries
