"""Opens files whose names a stranger may have chosen: a link, a pipe, a device or a huge file.

Everything in a folder of runs and in the cache is opened here, so that no command waits for a pipe,
fills the memory, or writes to a file outside the folder.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

__all__ = [
    "MAX_JSON_BYTES",
    "open_to_change",
    "open_to_read",
    "parse_json",
    "read_bytes",
    "read_json",
]

MAX_JSON_BYTES = 1 << 26
"""Of a JSON file of ours that says nowhere how large it is; the largest real ones have 1 MB."""


def open_to_read(path: Path) -> BinaryIO:
    """A regular file, open to read its bytes. Raises OSError, also for a pipe or a device."""
    return os.fdopen(_open(path, os.O_RDONLY), "rb")


def open_to_change(path: Path) -> FileIO:
    """A regular file, open to read and to append, without a buffer; it is made if it is missing.

    A link is not followed, and a file with a second name is refused: what they name is not ours
    alone. Raises OSError.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    file = FileIO(_open(path, flags), "a+b")
    if os.fstat(file.fileno()).st_nlink > 1:
        file.close()
        raise OSError(
            errno.EMLINK, "it has a second name, a hard link; put a copy there", str(path)
        )
    return file


def read_bytes(path: Path, *, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes. Raises OSError for any other."""
    with open_to_read(path) as file:
        # One byte more than the limit: the file may grow while it is read.
        content = file.read(min(os.fstat(file.fileno()).st_size, limit) + 1)
    if len(content) > limit:
        raise OSError(errno.EINVAL, f"it has more than {limit:,} bytes", str(path))
    return content


def read_json(path: Path, *, limit: int = MAX_JSON_BYTES) -> Any:
    """What a JSON file says. Raises OSError as `read_bytes`, ValueError as `parse_json`."""
    return parse_json(read_bytes(path, limit=limit))


def parse_json(content: bytes) -> Any:
    """What JSON says. Raises ValueError, also for NaN, Infinity, and JSON that is too deep."""
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it has too many brackets inside each other") from None


def _open(path: Path, flags: int) -> int:
    try:
        # Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _in_words(error, path, flags) from None
    try:
        _require_regular(path, os.fstat(descriptor).st_mode)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, "it is a folder, expected a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def _in_words(error: OSError, path: Path, flags: int) -> OSError:
    """What the system says of links, folders and sockets, as a sentence of ours says it."""
    said = {
        errno.ENXIO: "it is not a regular file",
        errno.EISDIR: "it is a folder, expected a file",
    }
    if flags & os.O_NOFOLLOW:
        said[errno.ELOOP] = "it is a link, and nothing is written through a link"
    if (words := said.get(error.errno or 0)) is None:
        return error
    return OSError(error.errno, words, str(path))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
