"""Files that are whole or not there, whenever the process or the machine stops."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

__all__ = ["sync_directory", "write_atomically"]


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
