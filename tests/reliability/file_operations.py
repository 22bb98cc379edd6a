"""Every operation that changes files, one by one: counted, recorded, failed or cut short.

The functions of `os` and the files that Python opens are replaced, so that a trial does not depend
on how a save is written.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ["Operation", "failing", "watching"]


@dataclass(frozen=True)
class Operation:
    """kind: as the function of `os` is called. path: what it changes. target: of a rename."""

    kind: str
    path: str
    target: str = ""
    content: bytes = b""


Watcher = Callable[[Operation], int | None]
"""Called before each operation; may raise. For a write it may return how many bytes are taken."""

_CHANGES = ("mkdir", "rmdir", "unlink", "remove", "truncate", "link", "symlink")
_MOVES = ("rename", "replace")


@contextmanager
def watching(watch: Watcher) -> Iterator[None]:
    """Call `watch` before each operation that changes a file or makes a change permanent."""
    real_open, real_fsync, real_os_open = io.open, os.fsync, os.open

    def patched(name: str) -> Any:
        real = getattr(os, name)

        def call(path: Any, *arguments: Any, **named: Any) -> Any:
            folder = named.get("dir_fd")
            first = str(path if folder is None else Path(_path_of(folder)) / os.fspath(path))
            target = os.fspath(arguments[0]) if name in _MOVES else ""
            watch(Operation("rename" if name in _MOVES else name, first, str(target)))
            return real(path, *arguments, **named)

        return mock.patch.object(os, name, call)

    def fsync(descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        watch(Operation("fsync", _path_of(number)))
        real_fsync(descriptor)

    def os_open(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if flags & (os.O_CREAT | os.O_TRUNC):
            watch(Operation("create" if flags & os.O_CREAT else "truncate", os.fspath(path)))
        return real_os_open(path, flags, *arguments, **named)

    def opened(file: Any, mode: str = "r", buffering: int = -1, *more: Any, **named: Any) -> Any:
        if not set(mode) & set("wxa+"):
            return real_open(file, mode, buffering, *more, **named)
        if not isinstance(file, int):
            watch(Operation("create", os.fspath(file)))
        raw = _Watched(file, mode.replace("b", "").replace("t", ""), watch, **_known(named))
        if "b" in mode:
            if buffering == 0:
                return raw
            return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        buffer = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return io.TextIOWrapper(buffer, *more, **{k: v for k, v in named.items() if k in _TEXT})

    def write(descriptor: int, data: Any) -> int:
        if descriptor <= 2:  # the streams
            return real_write(descriptor, data)
        taken = watch(Operation("write", _path_of(descriptor), content=bytes(data)))
        return real_write(descriptor, data if taken is None else data[:taken])

    real_write = os.write
    patches = [patched(name) for name in (*_CHANGES, *_MOVES)]
    patches += [
        mock.patch.object(os, "fsync", fsync),
        mock.patch.object(os, "open", os_open),
        mock.patch.object(os, "write", write),
        mock.patch.object(io, "open", opened),
        mock.patch.object(builtins, "open", opened),
    ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


@contextmanager
def failing(at: int, kind: str, *, stays: bool) -> Iterator[list[Operation]]:
    """Let the operation number `at` fail, counted from 0, and with `stays` all that follow.

    kind: the name of an error, as "EIO"; or "short": half of a write is taken, and the next write
    finds no room. Gives the list of the operations, in which the failing ones are too.
    """
    seen: list[Operation] = []
    is_short = False

    def watch(operation: Operation) -> int | None:
        nonlocal is_short
        seen.append(operation)
        number = len(seen) - 1
        if kind == "short":
            if is_short and operation.kind == "write":
                is_short = stays
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if number == at and operation.kind == "write":
                is_short = True
                return len(operation.content) // 2
            return None
        if number == at or (stays and number > at):
            code = getattr(errno, kind)
            raise OSError(code, os.strerror(code), operation.path)
        return None

    with watching(watch):
        yield seen


class _Watched(io.FileIO):
    """A file without a buffer, of which each write is an operation."""

    def __init__(self, file: Any, mode: str, watch: Watcher, **named: Any) -> None:
        super().__init__(file, mode, **named)
        self._watch = watch

    def write(self, data: Any, /) -> int:
        content = bytes(data)
        taken = self._watch(Operation("write", _path_of(self.fileno()), content=content))
        return super().write(content if taken is None else content[:taken]) or 0

    def truncate(self, size: int | None = None, /) -> int:
        self._watch(Operation("truncate", _path_of(self.fileno())))
        return super().truncate(size)


_TEXT = ("encoding", "errors", "newline")


def _known(named: dict[str, Any]) -> dict[str, Any]:
    return {key: named[key] for key in ("closefd", "opener") if key in named}


def _path_of(descriptor: int) -> str:
    """Of an open file (Linux)."""
    return os.readlink(f"/proc/self/fd/{descriptor}")
