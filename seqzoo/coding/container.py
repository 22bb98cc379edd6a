"""The compressed file: a header, blocks, and a checksum of both.

Numbers are big-endian; a varint has 7 bits in each byte, the lowest first, and the highest bit set
on all but its last byte.

    SQZ                 3 bytes
    version             1 byte    of this format
    flags               1 byte    1: the model learns while it reads; 2: settings follow
    weights             4 bytes   the first of their sha256
    reading             2 bytes   `Header.reading`
    environment         2 bytes   `Header.environment`
    checksum            6 bytes   the first of the sha256 of the original
    length              varint    bytes of the original
    settings            varint, and so many bytes of JSON; only with flag 2
    blocks              each: varint of its content's length + 1, varint of its tokens, 4 bytes
                        CRC-32 of the original up to its end, content. The last one is a zero byte
                        and its content.
    CRC-32              4 bytes   of everything before it

The last block needs no length and no check of its own: a short text has no more than 24 bytes
around what the coder made of it.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from seqzoo.errors import CompressedFileError, require_known_format

__all__ = [
    "CHECKSUM_BYTES",
    "FORMAT_VERSION",
    "WEIGHTS_BYTES",
    "Header",
    "StoredBlock",
    "packed",
    "require_whole",
    "unpacked",
]

FORMAT_VERSION = 1
WEIGHTS_BYTES = 4
CHECKSUM_BYTES = 6

_MAGIC = b"SQZ"
_FIXED = struct.Struct(">3sBB4sHH6s")
_CHECK = struct.Struct(">I")
_LEARNS, _HAS_SETTINGS = 1, 2
_MOST_SETTINGS = 1 << 16
_PIECE = 1 << 20


@dataclass(frozen=True)
class Header:
    """What a reader must know before the first token.

    weights: the first bytes of their sha256. reading: 16 bits of a hash of what else decides the
    probabilities: tokenizer, precision, how the model learns. environment: 16 bits of a hash of
    what the last bits of arithmetic depend on. checksum, length: of the original.
    learns: whether the model learns while it reads. settings: how, where the reader cannot know.
    """

    weights: bytes
    reading: int
    environment: int
    checksum: bytes
    length: int
    learns: bool = False
    settings: dict[str, Any] | None = None


class StoredBlock(NamedTuple):
    """A block of the coder. num_tokens, crc: None for the last one; crc of the original so far."""

    content: bytes
    num_tokens: int | None
    crc: int | None


def packed(header: Header, blocks: Iterable[StoredBlock]) -> Iterator[bytes]:
    """The parts of a file; the blocks are read while it is written."""
    crc = 0
    for part in _parts(header, blocks):
        crc = zlib.crc32(part, crc)
        yield part
    yield _CHECK.pack(crc)


def _parts(header: Header, blocks: Iterable[StoredBlock]) -> Iterator[bytes]:
    flags = _LEARNS * header.learns + _HAS_SETTINGS * (header.settings is not None)
    yield _FIXED.pack(
        _MAGIC,
        FORMAT_VERSION,
        flags,
        header.weights,
        header.reading,
        header.environment,
        header.checksum,
    )
    yield _varint(header.length)
    if header.settings is not None:
        settings = json.dumps(header.settings, separators=(",", ":")).encode()
        yield _varint(len(settings)) + settings
    for block in blocks:
        if block.num_tokens is None or block.crc is None:
            yield b"\0"
        else:
            yield _varint(len(block.content) + 1) + _varint(block.num_tokens)
            yield _CHECK.pack(block.crc)
        yield block.content


def require_whole(file: BinaryIO, size: int, name: str) -> None:
    """Raises CompressedFileError for a file that is not a compressed file as it was written.

    file: of `size` bytes, at its start, where it is again afterwards.
    """
    start = file.read(len(_MAGIC) + 1)
    if start[: len(_MAGIC)] != _MAGIC:
        raise CompressedFileError(
            f"{name} is not a file that seqzoo compress has made: it does not begin with "
            f"{_MAGIC.decode()}."
        )
    version = start[-1] if len(start) > len(_MAGIC) else FORMAT_VERSION
    require_known_format({"format_version": version}, name, newest=FORMAT_VERSION)
    left, crc = size - _CHECK.size - len(start), zlib.crc32(start)
    while left > 0 and (piece := file.read(min(_PIECE, left))):
        left -= len(piece)
        crc = zlib.crc32(piece, crc)
    is_whole = size >= _FIXED.size + _CHECK.size + 2 and file.read() == _CHECK.pack(crc)
    if not is_whole or version != FORMAT_VERSION:
        raise CompressedFileError(
            f"{name} is damaged: its checksum is not that of its {size:,} bytes; get it again from "
            f"where it came from."
        )
    file.seek(0)


def unpacked(file: BinaryIO, size: int, name: str) -> tuple[Header, Iterator[StoredBlock]]:
    """The header and the blocks of a file that `require_whole` has read.

    Raises CompressedFileError for what cannot be, also while the blocks are read.
    """
    left = _Left(file, name, size - _CHECK.size)
    _, _, flags, weights, reading, environment, checksum = _FIXED.unpack(left.read(_FIXED.size))
    if flags not in (0, _LEARNS, _LEARNS | _HAS_SETTINGS):
        raise left.damaged()
    length = left.varint()
    settings = _settings(left) if flags & _HAS_SETTINGS else None
    learns = bool(flags & _LEARNS)
    header = Header(weights, reading, environment, checksum, length, learns, settings)
    return header, _blocks(left)


def _settings(left: _Left) -> dict[str, Any]:
    size = left.varint()
    if size > _MOST_SETTINGS:
        raise left.damaged()
    try:
        settings = json.loads(left.read(size))
    except (ValueError, RecursionError):
        raise left.damaged() from None
    if not isinstance(settings, dict):
        raise left.damaged()
    return settings


def _blocks(left: _Left) -> Iterator[StoredBlock]:
    while size := left.varint():
        num_tokens = left.varint()
        (crc,) = _CHECK.unpack(left.read(_CHECK.size))
        yield StoredBlock(left.read(size - 1), num_tokens, crc)
    yield StoredBlock(left.read(left.size), None, None)


class _Left:
    """What is left of a file before its checksum."""

    def __init__(self, file: BinaryIO, name: str, size: int) -> None:
        self._file = file
        self._name = name
        self.size = size

    def read(self, size: int) -> bytes:
        if size > self.size:
            raise self.damaged()
        self.size -= size
        content = self._file.read(size)
        if len(content) != size:
            raise self.damaged()
        return content

    def varint(self) -> int:
        number, shift = 0, 0
        while shift < 63:
            (byte,) = self.read(1)
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
        raise self.damaged()

    def damaged(self) -> CompressedFileError:
        return CompressedFileError(
            f"{self._name} is damaged: its parts do not fit together; get it again from where it "
            f"came from."
        )


def _varint(number: int) -> bytes:
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
