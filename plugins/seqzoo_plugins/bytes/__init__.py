"""Tokenizer `bytes`: every byte is a token; it learns nothing and copies nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from seqzoo import Options, TokenizerSpec, hookimpl

if TYPE_CHECKING:
    from seqzoo import Tokenizer, TokenizerContext


@hookimpl
def register_tokenizers() -> Iterable[TokenizerSpec]:
    yield TokenizerSpec(
        name="bytes",
        summary="256 ids, one for each byte value; learns nothing",
        build=_build,
        standalone=Path(__file__).with_name("standalone.py"),
    )


def _build(options: Options, context: TokenizerContext) -> Tokenizer:
    from seqzoo_plugins.bytes.tokenizer import ByteTokenizer

    return ByteTokenizer()
