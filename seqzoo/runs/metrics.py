"""metrics.jsonl and timing.jsonl: the lines that a run logs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqzoo.terminal.console import warn

__all__ = ["Log"]


class Log:
    """A file of JSON lines that can be cut back to where a checkpoint left it."""

    def __init__(self, path: Path, *, length: int) -> None:
        """Open for appending after the first `length` bytes; what follows them is dropped."""
        self._file = path.open("ab")
        size = path.stat().st_size
        if size < length:
            warn(
                f"{path} holds {size} bytes, and {length} were written before; what is missing "
                f"cannot be written again, and the file goes on from here."
            )
        # Never longer than it is: cutting a lost file "back" would fill it with NUL bytes.
        self._file.truncate(min(length, size))
        self._file.seek(0, os.SEEK_END)  # truncate leaves the position, and `sync` tells it

    def append(self, line: Mapping[str, Any]) -> None:
        """Add one line; whoever follows the file sees it at once."""
        self._file.write((json.dumps(line, allow_nan=False) + "\n").encode())
        self._file.flush()

    def sync(self) -> int:
        """Put everything on disk and give the length in bytes, for the checkpoint to remember."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Flush and close."""
        self._file.close()
