"""Corpus `pastiche`: play-like text, made here, whose entropy is known byte by byte."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from seqzoo import CorpusSpec, Options, hookimpl

if TYPE_CHECKING:
    from seqzoo import Corpus


class PasticheOptions(Options):
    seed: int = Field(default=1, ge=0, lt=1 << 64, description="which text")
    size_bytes: int = Field(
        default=1_000_000,
        ge=1,
        le=100_000_000_000,
        description="how much of it; a smaller size is the beginning of a larger one",
    )


@hookimpl
def register_corpora() -> Iterable[CorpusSpec]:
    yield CorpusSpec(
        name="pastiche",
        summary="seeded play-like text of any size, made for seqzoo; its entropy is known exactly",
        options=PasticheOptions,
        open=_open,
        source="docs/pastiche.md",
    )


def _open(options: PasticheOptions, base: Path) -> Corpus:
    from seqzoo_plugins.pastiche.corpus import open_pastiche

    return open_pastiche(options.seed, options.size_bytes)
