"""A whole text through the coder, and back, with the checks that show when the two differ."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from seqzoo.coding.coder import UndecodableError, decode_block, encode_blocks
from seqzoo.coding.container import CHECKSUM_BYTES, Header, StoredBlock, packed
from seqzoo.coding.predictors import Predictor
from seqzoo.errors import CompressedFileError
from seqzoo.model.generate import ByteStream
from seqzoo.plugin.contracts import Tokenizer

__all__ = ["checksum_of", "compressed", "restored"]

_MOST_WITHOUT_BYTES = 1000
"""Tokens in a row that complete no byte; no symbol has so many, so the decoder has lost its way."""

_PIECE = 1 << 16


def checksum_of(parts: Iterable[bytes]) -> tuple[bytes, int]:
    """The checksum of a text for its header, and its length."""
    digest, length = hashlib.sha256(), 0
    for part in parts:
        digest.update(part)
        length += len(part)
    return digest.digest()[:CHECKSUM_BYTES], length


def compressed(
    parts: Iterable[bytes],
    header: Header,
    *,
    tokenizer: Tokenizer,
    predictor: Predictor,
    first_input: int = 0,
    advance: Callable[[int], None] = lambda length: None,
) -> Iterator[bytes]:
    """The parts of the compressed file of a text; read while it is written.

    parts: each is encoded by itself, and parts of at most 16 MiB need little memory. header: of the
    same text. first_input: the token before the text. advance: called with the bytes that were read
    so far. Raises CompressedFileError if the text is not that of the header, or the tokenizer does
    not give it back.
    """
    written = _Written(tokenizer, advance)

    def tokens() -> Iterator[int]:
        for part in parts:
            encoded = tokenizer.encode(np.frombuffer(part, dtype=np.uint8))
            for start in range(0, len(encoded), _PIECE):
                for token in encoded[start : start + _PIECE].tolist():
                    written.feed(token)
                    yield token

    def blocks() -> Iterator[StoredBlock]:
        for block in encode_blocks(tokens(), predictor, first_input=first_input):
            if block.is_last:
                yield StoredBlock(block.content, None, None)
            else:
                yield StoredBlock(block.content, block.num_tokens, written.crc)
        if not written.is_original(header):
            raise CompressedFileError(
                "the text has changed while it was compressed, or the tokenizer does not give it "
                "back; nothing was written: compress it again, and try the tokenizer with: seqzoo "
                "check NAME"
            )

    return packed(header, blocks())


def restored(
    header: Header,
    blocks: Iterable[StoredBlock],
    *,
    tokenizer: Tokenizer,
    predictor: Predictor,
    first_input: int = 0,
    otherwise: Callable[[int], str],
    advance: Callable[[int], None] = lambda length: None,
) -> Iterator[bytes]:
    """The parts of the original; all of them were right if this ends without an error.

    otherwise: the sentence of the CompressedFileError that is raised as soon as it is known that
    the bytes are wrong, given the number of bytes that were restored by then.
    """
    written = _Written(tokenizer, advance)
    try:
        for block in blocks:
            pending = bytearray()
            for token in decode_block(
                block.content,
                predictor,
                first_input=first_input,
                wants_more=_end_of(block, written, header),
            ):
                first_input = token
                pending += written.feed(token)
                if written.length > header.length or written.is_lost:
                    raise _DifferentError
                if len(pending) >= _PIECE:
                    yield bytes(pending)
                    pending.clear()
            if block.crc not in (None, written.crc):
                raise _DifferentError
            yield bytes(pending)
        if not written.is_original(header):
            raise _DifferentError
    except (_DifferentError, UndecodableError):
        raise CompressedFileError(otherwise(written.length)) from None


class _DifferentError(Exception):
    """What was decoded is not the original."""


def _end_of(block: StoredBlock, written: _Written, header: Header) -> Callable[[int], bool]:
    """Whether a block has further tokens: by their number, or by the length of the original."""
    if (num_tokens := block.num_tokens) is not None:
        return lambda count: count < num_tokens
    return lambda count: written.length < header.length


class _Written:
    """The bytes of the tokens so far, on both sides: their number, CRC-32 and sha256."""

    def __init__(self, tokenizer: Tokenizer, advance: Callable[[int], None]) -> None:
        self._stream = ByteStream(tokenizer)
        self._digest = hashlib.sha256()
        self._advance = advance
        self._without_bytes = 0
        self.length = 0
        self.crc = 0

    def feed(self, token: int) -> bytes:
        """The bytes that a token completes."""
        piece = self._stream.feed(token)
        self._without_bytes = 0 if piece else self._without_bytes + 1
        if piece:
            self._digest.update(piece)
            self.crc = zlib.crc32(piece, self.crc)
            self.length += len(piece)
            self._advance(self.length)
        return piece

    @property
    def is_lost(self) -> bool:
        """Whether no symbol can be so long."""
        return self._without_bytes > _MOST_WITHOUT_BYTES

    def is_original(self, header: Header) -> bool:
        """Whether the bytes are those that the header was made for."""
        checksum = self._digest.digest()[:CHECKSUM_BYTES]
        return (checksum, self.length) == (header.checksum, header.length)
