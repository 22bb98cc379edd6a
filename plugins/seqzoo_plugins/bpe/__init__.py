"""Tokenizer `bpe`: byte pairs that are frequent in the training part are tokens."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from seqzoo import Options, TokenizerSpec, hookimpl

if TYPE_CHECKING:
    from seqzoo import Tokenizer, TokenizerContext


class BPEOptions(Options):
    shorthand: ClassVar[str | None] = "vocab_size"
    vocab_size: int = Field(
        default=1024,
        ge=256,
        le=1 << 16,
        description="most tokens, the 256 bytes included; a small text gives fewer",
    )


@hookimpl
def register_tokenizers() -> Iterable[TokenizerSpec]:
    yield TokenizerSpec(
        name="bpe",
        summary="byte pair encoding, learnt from the training part; needs the extra seqzoo[bpe]",
        options=BPEOptions,
        build=_build,
        standalone=Path(__file__).with_name("standalone.py"),
        source="Sennrich et al. 2016, arXiv:1508.07909; on bytes, Radford et al. 2019 (GPT-2)",
    )


def _build(options: BPEOptions, context: TokenizerContext) -> Tokenizer:
    from seqzoo_plugins.bpe.tokenizer import BPETokenizer

    return BPETokenizer(options.vocab_size)
