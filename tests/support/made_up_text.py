"""A text of made-up words."""

from __future__ import annotations

import random

__all__ = ["LETTERS", "written"]

LETTERS = b"etaoinshrdlucmfwypvbgk"


def written(seed: int = 0, count: int = 6000) -> bytes:
    """Lines of 400 made-up words in random order: no stretch of 16 bytes occurs often."""
    drawn = random.Random(seed)
    known = [bytes(drawn.choices(LETTERS, k=drawn.randint(2, 8))) for _ in range(400)]
    words = [drawn.choice([*known, *(word.title() for word in known[:80])]) for _ in range(count)]
    ends = [drawn.choice([b" ", b" ", b" ", b"\n", b".\n\n"]) for _ in range(count)]
    return b"".join(word + end for word, end in zip(words, ends, strict=True))
