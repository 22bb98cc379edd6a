"""Kinds of contexts: what two places of a text must have in common to be counted together."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["TEXT_PARTS", "Context", "parse_context"]

TEXT_PARTS = ("word", "gap", "word1", "word2", "word3", "line", "start", "column")
"""What is known of a text after a byte, one int64 each:

word: hash of the letters of the word so far, in lower case; 0 outside words.
gap: hash of the bytes between the last word that ended and what follows it.
word1, word2, word3: hashes of the last words that ended.
line: hash of the line so far. start: its first byte. column: its length, at most 255.
"""

_MOST_TOKENS = 16
_LATEST = re.compile(r"last([1-9]\d?)")
_TOKEN = re.compile(r"token(\d\d?)")


class Context(NamedTuple):
    """What two places have in common that are counted together.

    tokens: distances of tokens, 0 for the latest, ascending. parts: indices of TEXT_PARTS.
    """

    tokens: tuple[int, ...]
    parts: tuple[int, ...]

    def refines(self, other: Context) -> bool:
        """Whether equal contexts of this kind are equal contexts of the other one too."""
        return set(self.tokens) >= set(other.tokens) and set(self.parts) >= set(other.parts)


def parse_context(text: str) -> Context:
    """`last4`: the four latest tokens. `token0+token2`: tokens at these distances.
    `word+gap+word1`: parts of the text (`TEXT_PARTS`). Raises ValueError.
    """
    tokens: set[int] = set()
    parts: set[int] = set()
    for name in text.split("+"):
        if match := _LATEST.fullmatch(name):
            tokens.update(range(int(match[1])))
        elif match := _TOKEN.fullmatch(name):
            tokens.add(int(match[1]))
        elif name in TEXT_PARTS:
            parts.add(TEXT_PARTS.index(name))
        else:
            raise ValueError(
                f"{name!r} is no part of a context; use last1 to last{_MOST_TOKENS}, token0 to "
                f"token{_MOST_TOKENS - 1}, {', '.join(TEXT_PARTS)}, joined by '+'"
            )
    if tokens and max(tokens) >= _MOST_TOKENS:
        raise ValueError(f"{text!r} looks back more than {_MOST_TOKENS} tokens")
    return Context(tuple(sorted(tokens)), tuple(sorted(parts)))
