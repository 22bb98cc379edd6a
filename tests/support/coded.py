"""Compresses and restores a text with a model, without a run."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager

from seqzoo.coding.container import Header, require_whole, unpacked
from seqzoo.coding.predictors import Predictor
from seqzoo.coding.text import checksum_of, compressed, restored
from seqzoo.plugin.contracts import Tokenizer

__all__ = ["NAME", "compress", "decompress"]

NAME = "text.sqz"


def compress(
    text: bytes,
    tokenizer: Tokenizer,
    predictor: Callable[[], AbstractContextManager[Predictor]],
    *,
    first_input: int = 0,
) -> bytes:
    checksum, length = checksum_of([text])
    header = Header(b"wght", 1, 2, checksum, length)
    with predictor() as reader:
        return b"".join(
            compressed(
                [text], header, tokenizer=tokenizer, predictor=reader, first_input=first_input
            )
        )


def decompress(
    content: bytes,
    tokenizer: Tokenizer,
    predictor: Callable[[], AbstractContextManager[Predictor]],
    *,
    first_input: int = 0,
) -> bytes:
    file = io.BytesIO(content)
    require_whole(file, len(content), NAME)
    header, blocks = unpacked(file, len(content), NAME)
    with predictor() as reader:
        return b"".join(
            restored(
                header,
                blocks,
                tokenizer=tokenizer,
                predictor=reader,
                first_input=first_input,
                otherwise=lambda position: f"other bytes from {position} on",
            )
        )
