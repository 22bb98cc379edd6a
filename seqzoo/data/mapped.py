"""A large corpus is mapped, not read: whether its file still has the bytes that were hashed.

A smaller corpus is in memory (`seqzoo.cache.map_bytes`), where no change of its file reaches it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from seqzoo.cache import sha256_of
from seqzoo.errors import EnvironmentFault

__all__ = ["MappedFile", "mapped_file"]


class MappedFile:
    """The file behind mapped bytes, open as long as this object exists."""

    def __init__(self, data: np.ndarray, path: Path) -> None:
        """data: as mapped, before it is hashed. Raises OSError if the file cannot be opened."""
        self._data = data
        self._path = path
        self._sha256 = ""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)
        self._seen = self._state()

    def sha256(self) -> str:
        """The hash of the bytes, which they are compared with from now on."""
        self._sha256 = sha256_of(self._data)
        return self._sha256

    def require_whole(self, *, again: str) -> None:
        """Raises EnvironmentFault if the file was cut: the system ends a process that reads on.

        again: the command that continues when the file is as before. Takes a microsecond.
        """
        if (size := os.fstat(self._descriptor).st_size) < self._data.nbytes:
            raise EnvironmentFault(
                f"{self._path} was cut to {size:,} bytes while it was used, expected "
                f"{self._data.nbytes:,}; {_remedy(again)}"
            )

    def require_unchanged(self, *, again: str = "") -> None:
        """Raises EnvironmentFault if the bytes changed; they are read if the file was touched."""
        self.require_whole(again=again)
        state = self._state()
        if state == self._seen:
            return
        if (found := sha256_of(self._data)) != self._sha256:
            raise EnvironmentFault(
                f"{self._path} was changed while it was used: its sha256 begins {found[:12]}, "
                f"expected {self._sha256[:12]}; {_remedy(again)}"
            )
        self._seen = state

    def _state(self) -> tuple[int, int, int]:
        stat = os.fstat(self._descriptor)
        # A time of modification can be set back; the time of the last change cannot.
        return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _remedy(again: str) -> str:
    return "restore the old bytes, then " + (f"continue with: {again}" if again else "start again.")


def mapped_file(data: np.ndarray) -> MappedFile | None:
    """The file that the bytes are mapped from; None for bytes in memory.

    From now on, a bus error is reported: a file that is cut while it is read ends the process.
    """
    source: Any = data
    while source is not None and not isinstance(source, np.memmap):
        source = getattr(source, "base", None)
    path = getattr(source, "filename", None)
    if path is None:
        return None
    if not faulthandler.is_enabled():
        with contextlib.suppress(OSError, ValueError):
            faulthandler.enable(2)
    try:
        return MappedFile(data, Path(path))
    except OSError:  # removed since it was mapped: nobody can change it
        return None
