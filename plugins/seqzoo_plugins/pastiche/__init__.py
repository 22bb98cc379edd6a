"""Corpus `pastiche`: generated play-like text whose entropy is known for every byte."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from seqzoo import CorpusSpec, Options, hookimpl

if TYPE_CHECKING:
    from seqzoo import Corpus, CorpusContext


class PasticheOptions(Options):
    seed: int = Field(default=1, ge=0, lt=1 << 64, description="seed of the text")
    size_bytes: int = Field(
        default=1_000_000,
        ge=1,
        le=100_000_000_000,
        description="size of the text; a smaller text is the beginning of a larger one",
    )


@hookimpl
def register_corpora() -> Iterable[CorpusSpec]:
    yield CorpusSpec(
        name="pastiche",
        summary="generated play-like text of any size; its entropy is known exactly",
        options=PasticheOptions,
        open=_open,
        source="docs/pastiche.md",
    )


def _open(options: PasticheOptions, context: CorpusContext) -> Corpus:
    from seqzoo_plugins.pastiche.corpus import open_pastiche

    return open_pastiche(options.seed, options.size_bytes)
