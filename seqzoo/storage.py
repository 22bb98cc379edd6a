"""Folders for files that belong to no run, and files that are complete or absent.

A file is replaced as a whole: if the process or the machine stops, it has its old or new content.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

__all__ = ["cache_directory", "data_directory", "sync_directory", "write_through", "write_whole"]


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
