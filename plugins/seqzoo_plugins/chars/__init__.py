"""Tokenizer `chars`: the byte values of the training part, and an escape for all others."""

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
        name="chars",
        summary="byte values of the training part; other bytes are escaped, so nothing is lost",
        build=_build,
        standalone=Path(__file__).with_name("standalone.py"),
    )


def _build(options: Options, context: TokenizerContext) -> Tokenizer:
    from seqzoo_plugins.chars.tokenizer import CharTokenizer

    return CharTokenizer()
