"""Decoder `beam`: a probable text that a search finds, with a phrase that it must contain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from seqzoo import DecoderSpec, Options, hookimpl

if TYPE_CHECKING:
    from seqzoo import Decoder, DecoderContext


class BeamOptions(Options):
    shorthand: ClassVar[str | None] = "width"
    width: int = Field(default=8, ge=1, le=1024, description="texts that are kept at each token")
    contains: str = Field(default="", description="a phrase that the text must contain")


@hookimpl
def register_decoders() -> Iterable[DecoderSpec]:
    yield DecoderSpec(
        name="beam",
        summary="searches for a probable text; it can be made to contain a phrase",
        options=BeamOptions,
        build=_build,
        source="Lowerre 1976; the phrase: Hokamp and Liu 2017, arXiv:1704.07138, section 3",
    )


def _build(options: BeamOptions, context: DecoderContext) -> Decoder:
    import numpy as np

    from seqzoo_plugins.decoders.beam import Beam

    phrase = np.frombuffer(options.contains.encode(), dtype=np.uint8)
    return Beam(options.width, context.tokenizer.encode(phrase).astype(np.int64).tolist())
