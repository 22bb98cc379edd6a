"""Where files are kept outside any one run, and files that are whole or not there.

A file is replaced as a whole, whenever the process or the machine stops.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

__all__ = ["cache_directory", "data_directory", "sync_directory", "write_atomically"]


def write_atomically(path: Path, text: str) -> None:
    """Replace a file by UTF-8 text; it is on disk when this returns. Raises OSError."""
    # Its own name, so that two processes that write one file do not write into each other's.
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with unfinished.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    sync_directory(path.parent)


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
