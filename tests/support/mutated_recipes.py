"""Recipes with a few words and lines removed, swapped, doubled or replaced."""

from __future__ import annotations

import random
import re

__all__ = ["mutated", "words_of"]


def words_of(text: str) -> list[str]:
    """The words and the signs of a text, each once."""
    return sorted(set(re.findall(r"[\w.]+|[^\w\s]", text)))


def mutated(text: str, seed: int) -> str:
    """The text with one to six changes."""
    draw, words, lines = random.Random(seed), words_of(text), text.splitlines(keepends=True)
    for _ in range(draw.randint(1, 6)):
        place = draw.randrange(len(text) + 1)
        change = draw.randrange(4)
        if change == 0:
            text = text[:place] + text[place + draw.randint(1, 12) :]
        elif change == 1:
            text = text[:place] + draw.choice([*words, *"[]{}:,&*!\n\t\"'"]) + text[place:]
        elif change == 2:
            text = text.replace(draw.choice(words), draw.choice([*words, "null", "[]", "{}", "-1"]))
        else:
            text = text[:place] + draw.choice(lines) + text[place:]
    return text
