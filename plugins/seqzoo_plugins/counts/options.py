"""The options of the counts; no torch and no numba, which a declaration must not import."""

from __future__ import annotations

from pydantic import Field, field_validator

from seqzoo import Options
from seqzoo_plugins.counts.kinds import parse_context

__all__ = ["CountOptions"]


class CountOptions(Options):
    """Which contexts are counted, where, and how many counts are kept."""

    contexts: tuple[str, ...] = Field(
        default=(
            *(f"last{length}" for length in range(1, 7)),
            "word",
            "gap+word",
            "gap+word+word1",
            "gap+word+word1+word2",
            "gap+word+word2",
            "word+word1",
            "start+gap+word",
            "line",
            "token1+token2",
            "token1+token2+token3",
            "token0+token2+token3",
            "token0+column",
        ),
        min_length=1,
        description="what of a text counts of the training part depend on: `last3` for the three "
        "latest tokens, `token0+token2` for tokens at these distances, and parts of the text: "
        "word, gap, word1, word2, word3, line, start, column; joined by `+`",
    )
    window: int = Field(
        default=4096,
        ge=16,
        le=1 << 20,
        description="number of latest tokens whose contexts are counted too",
    )
    window_contexts: tuple[str, ...] = Field(
        default=(
            *(f"last{length}" for length in (2, 3, 4, 5, 6, 8)),
            "gap+word",
            "gap+word+word1",
            "gap+word+word1+word2",
        ),
        min_length=1,
        description="what counts in the window depend on; each refines the one before it, or "
        "begins another chain",
    )
    max_entries: int = Field(
        default=1 << 23,
        ge=1,
        description="most (context, symbol) counts; the rarest are dropped",
    )
    learned_weight: float = Field(
        default=1.0,
        gt=0,
        description="weight of a count in the text that an adaptive model reads, in counts of the "
        "training part",
    )

    @field_validator("contexts", "window_contexts")
    @classmethod
    def _are_contexts(cls, contexts: tuple[str, ...]) -> tuple[str, ...]:
        parsed = [parse_context(context) for context in contexts]
        for number, context in enumerate(parsed):
            if context in parsed[:number]:
                raise ValueError(f"{contexts[number]!r} is there twice; remove one")
        return contexts
