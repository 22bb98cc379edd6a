"""Compresses bytes or a file of any size with the model of a run, and restores them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from seqzoo.coding.container import Header, StoredBlock, require_whole, unpacked
from seqzoo.coding.text import checksum_of, compressed, restored
from seqzoo.errors import UsageError
from seqzoo.regular_files import open_to_read
from seqzoo.runs.coding import Coding
from seqzoo.storage import write_whole

__all__ = [
    "Sizes",
    "compress",
    "compress_file",
    "decompress",
    "decompress_file",
    "header_of",
]

_PART = 1 << 24
"""Bytes that are read and encoded at once, as in scoring."""


class Sizes(NamedTuple):
    """Bytes of a text, and of its compressed file."""

    original: int
    compressed: int


def compress(coding: Coding, text: bytes, *, first_input: int = 0, verify: bool = True) -> bytes:
    """The compressed file of a text.

    first_input: the token before the text, which `decompress` then needs too. verify: whether it is
    decompressed. Raises CompressedFileError if it does not give the text back.
    """
    content = b"".join(_compressed(coding, io.BytesIO(text), first_input))
    if verify:
        _verify(coding, io.BytesIO(content), len(content), "the text", first_input)
    return content


def decompress(
    coding_of: Callable[[Header], Coding], content: bytes, *, first_input: int = 0
) -> bytes:
    """The text of a compressed file.

    coding_of: what made it, given its header. Raises CompressedFileError if it is damaged, or if
    it cannot be restored here.
    """
    file = io.BytesIO(content)
    require_whole(file, len(content), _NAME)
    header, blocks = unpacked(file, len(content), _NAME)
    return b"".join(_decompressed(coding_of(header), header, blocks, _NAME, first_input))


def compress_file(coding: Coding, source: Path, target: Path, *, verify: bool = True) -> Sizes:
    """Write the compressed file of a file.

    verify: whether it is decompressed before it is put in place. Raises UsageError if the file
    cannot be read, CompressedFileError if it would not give the original back.
    """

    def check(unfinished: Path) -> None:
        if verify:
            with _opened(unfinished) as (written, size):
                _verify(coding, written, size, str(source), 0)

    with _opened(source) as (file, size):
        write_whole(target, _compressed(coding, file), verify=check)
    return Sizes(size, target.stat().st_size)


def decompress_file(coding_of: Callable[[Header], Coding], source: Path, target: Path) -> Sizes:
    """Write the original of a compressed file, or nothing. As `decompress`; UsageError if the file
    cannot be read.
    """
    with _opened(source) as (file, size):
        require_whole(file, size, str(source))
        header, blocks = unpacked(file, size, str(source))
        write_whole(target, _decompressed(coding_of(header), header, blocks, str(source), 0))
    return Sizes(header.length, size)


def header_of(source: Path) -> Header:
    """The header of a compressed file. Raises as `decompress_file` for a file that is damaged."""
    with _opened(source) as (file, size):
        require_whole(file, size, str(source))
        return unpacked(file, size, str(source))[0]


_NAME = "the compressed text"


def _compressed(coding: Coding, file: BinaryIO, first_input: int = 0) -> Iterator[bytes]:
    experiment = coding.trained.experiment
    checksum, length = checksum_of(_parts(file))
    header = coding.header(checksum, length)
    with coding.predictor() as predictor, experiment.display.meter("compressing") as meter:
        yield from compressed(
            _parts(file),
            header,
            tokenizer=experiment.tokenizer,
            predictor=predictor,
            first_input=first_input,
            advance=_shown(meter.show, length),
        )


def _verify(coding: Coding, file: BinaryIO, size: int, name: str, first_input: int) -> None:
    header, blocks = unpacked(file, size, name)
    architecture = coding.trained.experiment.recipe.architecture.name

    def otherwise(position: int) -> str:
        return (
            f"{name} was not compressed, because it could not be restored: from byte {position:,} "
            f"on at the latest, the model gives other probabilities when it reads the same text "
            f"again; try it with: seqzoo check {architecture}"
        )

    for _ in _restored(coding, header, blocks, first_input, otherwise, "checking"):
        pass


def _decompressed(
    coding: Coding, header: Header, blocks: Iterable[StoredBlock], name: str, first_input: int
) -> Iterator[bytes]:
    record = coding.trained.experiment.runtime.record()

    def otherwise(position: int) -> str:
        here = f"torch {record['versions']['torch']} on {record['accelerator'] or record['cpu']}"
        return (
            f"{name} is not damaged, but from byte {position:,} on at the latest another text is "
            f"decoded here, so nothing was written: the last bits of the model's probabilities are "
            f"not those of the machine that compressed it; decompress it with the same versions "
            f"and the same kind of processor as there (here: {here})."
        )

    return _restored(coding, header, blocks, first_input, otherwise, "decompressing")


def _restored(
    coding: Coding,
    header: Header,
    blocks: Iterable[StoredBlock],
    first_input: int,
    otherwise: Callable[[int], str],
    label: str,
) -> Iterator[bytes]:
    experiment = coding.trained.experiment
    with coding.predictor() as predictor, experiment.display.meter(label) as meter:
        yield from restored(
            header,
            blocks,
            tokenizer=experiment.tokenizer,
            predictor=predictor,
            first_input=first_input,
            otherwise=otherwise,
            advance=_shown(meter.show, header.length),
        )


def _shown(show: Callable[[float, str], None], length: int) -> Callable[[int], None]:
    return lambda done: show(done / length, f"{done:,} of {length:,} bytes")


def _parts(file: BinaryIO) -> Iterator[bytes]:
    """The file from its start."""
    file.seek(0)
    while part := file.read(_PART):
        yield part


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A file and its size. Raises UsageError if it cannot be read."""
    try:
        file = open_to_read(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        yield file, os.fstat(file.fileno()).st_size
