"""Where in a text a token is: the word and the line so far, and the words before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqzoo import Tokenizer
from seqzoo_plugins.counts.compiled import compiled
from seqzoo_plugins.counts.hashing import extended
from seqzoo_plugins.counts.kinds import TEXT_PARTS

__all__ = ["TokenBytes", "bytes_of_tokens", "read_bytes"]

_WORD, _GAP, _WORD1, _WORD2, _WORD3, _LINE, _START, _COLUMN = range(len(TEXT_PARTS))
_NEWLINE = 10
_LONGEST_LINE = 255


class TokenBytes(NamedTuple):
    """The bytes of token i are `data[starts[i] : starts[i + 1]]`."""

    starts: npt.NDArray[np.int64]
    data: npt.NDArray[np.uint8]


def bytes_of_tokens(vocab_size: int, tokenizer: Tokenizer | None) -> TokenBytes:
    """tokenizer: None if ids are bytes; ids above 255 then have none."""
    tokens = range(vocab_size)
    if tokenizer is None:
        pieces = [bytes([token]) if token < 256 else b"" for token in tokens]
    else:
        pieces = [tokenizer.decode(np.array([token])) for token in tokens]
    ends = np.cumsum([len(piece) for piece in pieces])
    starts = np.concatenate([[0], ends]).astype(np.int64)
    return TokenBytes(starts, np.frombuffer(b"".join(pieces), dtype=np.uint8))


@compiled
def read_bytes(parts: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> None:
    """Change `parts`, (len(TEXT_PARTS),) values before some bytes, to the values after them."""
    for byte in data:
        if _is_of_word(byte):
            lower = byte + 32 if 65 <= byte <= 90 else byte
            parts[_WORD] = extended(parts[_WORD], lower)
        else:
            if parts[_WORD] != 0:
                parts[_WORD3] = parts[_WORD2]
                parts[_WORD2] = parts[_WORD1]
                parts[_WORD1] = parts[_WORD]
                parts[_WORD] = 0
                parts[_GAP] = 0
            parts[_GAP] = extended(parts[_GAP], byte)
        if byte == _NEWLINE:
            parts[_LINE] = 0
            parts[_START] = 0
            parts[_COLUMN] = 0
        else:
            if parts[_COLUMN] == 0:
                parts[_START] = byte
            parts[_LINE] = extended(parts[_LINE], byte)
            parts[_COLUMN] = min(parts[_COLUMN] + 1, _LONGEST_LINE)


@compiled
def _is_of_word(byte: int) -> bool:
    """Letters, digits, the apostrophe, and all bytes of characters outside ASCII."""
    letter = 97 <= byte <= 122 or 65 <= byte <= 90
    return letter or 48 <= byte <= 57 or byte == 39 or byte >= 128
