"""Folders for files that belong to no run, and files that are complete or absent.

A file is replaced as a whole: if the process or the machine stops, it has its old or new content.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

__all__ = [
    "cache_directory",
    "data_directory",
    "is_full",
    "naming",
    "sync_directory",
    "write_new",
    "write_through",
    "write_whole",
]


def write_whole(path: Path, content: str | bytes | Iterable[bytes]) -> None:
    """Replace a file; it is complete and on disk when this returns. Makes missing folders.

    content: UTF-8 text, bytes, or parts that are written one after another.
    Two processes may write the same file at the same time; the last one to finish replaces the
    other's. Raises OSError, and what `content` raises; the old file is then unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, so that two processes do not write to the same temporary file.
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with naming(path, unfinished):
            with unfinished.open("xb") as file:
                for part in _parts(content):
                    file.write(part)
                write_through(file)
            os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    sync_directory(path.parent)


def write_new(path: Path, content: str | bytes) -> None:
    """As `write_whole`, for a new file in a folder that exists. Raises FileExistsError."""
    path.open("x").close()  # takes the name, so that no other file is replaced
    try:
        write_whole(path, content)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def naming(path: Path, unfinished: Path | None = None) -> Iterator[None]:
    """Give an OSError the name of the file that is written.

    The system names none if a write fails, and users do not know the unfinished one.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(unfinished)):
            error.filename, error.filename2 = str(path), None
        raise


def is_full(error: OSError) -> bool:
    """Whether there is no room for what was written: on the disk, or in the user's quota."""
    return error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def _parts(content: str | bytes | Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(content, str):
        return (content.encode(),)
    return (content,) if isinstance(content, bytes) else content


def write_through(file: IO[Any]) -> None:
    """Write the buffers of an open file to disk. Raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Write a folder's entries to disk, which makes a rename permanent. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cache_directory() -> Path:
    """Downloads, generated corpora and baseline scores: $SEQZOO_CACHE, or the user's cache.

    Not created here. Everything in it can be deleted at any time.
    """
    if chosen := os.environ.get("SEQZOO_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "seqzoo"


def data_directory() -> Path | None:
    """The folder of corpora that the user keeps: $SEQZOO_DATA, or None."""
    chosen = os.environ.get("SEQZOO_DATA")
    return Path(chosen).expanduser() if chosen else None
