"""Tokenizer `chars`: the byte values that the training part uses, and an escape for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import Options, TokenizerSpec, hookimpl

if TYPE_CHECKING:
    from seqzoo import Tokenizer


@hookimpl
def register_tokenizers() -> Iterable[TokenizerSpec]:
    yield TokenizerSpec(
        name="chars",
        summary="the byte values of the training part; others are escaped, so nothing is lost",
        build=_build,
    )


def _build(options: Options) -> Tokenizer:
    from seqzoo_plugins.chars.tokenizer import CharTokenizer

    return CharTokenizer()
