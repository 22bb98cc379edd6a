"""Where files are kept outside any one run, and files that are whole or not there.

A file is replaced as a whole, whenever the process or the machine stops.
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
    Two processes may write one file at once; the last to finish wins. Raises OSError, and what
    `content` raises; the old file is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Its own name, so that two processes that write one file do not write into each other's.
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
    """Put what was written to an open file on disk. Raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Put a folder's entries on disk: a rename is not there before. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cache_directory() -> Path:
    """Downloads, generated corpora and baseline scores: $SEQZOO_CACHE, else the user's cache.

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
