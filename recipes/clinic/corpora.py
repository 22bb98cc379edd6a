"""A text whose last tenth is a copy of its first."""

from __future__ import annotations

import numpy as np
from pydantic import Field

import seqzoo


class ReprintOptions(seqzoo.Options):
    size_bytes: int = Field(200_000, ge=1000, description="size of the text")


def reprint(options: ReprintOptions, context: seqzoo.CorpusContext) -> seqzoo.Corpus:
    """Sentences of invented words, some more common than others, and then the first tenth again."""
    draw = np.random.default_rng(1)
    syllables = [a + b for a in "bdfgklmnprstvw" for b in ("a", "e", "i", "o", "u", "en", "or")]
    words = ["".join(draw.choice(syllables, draw.integers(1, 4))) for _ in range(300)]
    chances = 1 / np.arange(1, len(words) + 1)
    text, size = "", options.size_bytes
    while len(text) < size:
        drawn = draw.choice(words, draw.integers(4, 12), p=chances / chances.sum())
        text += " ".join(drawn).capitalize() + ".\n"
    tenth = size // 10
    text = text[: size - tenth] + text[:tenth]
    return seqzoo.Corpus("reprint", np.frombuffer(text.encode(), np.uint8), "generated")


@seqzoo.hookimpl
def register_corpora() -> list[seqzoo.CorpusSpec]:
    return [
        seqzoo.CorpusSpec(
            name="reprint",
            summary="a text whose last tenth repeats its first",
            options=ReprintOptions,
            open=reprint,
        )
    ]
