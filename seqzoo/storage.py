"""Folders for files that belong to no run, and files that are complete or absent.

A file is replaced as a whole: if the process or the machine stops, it has its old or new content.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

__all__ = [
    "cache_directory",
    "data_directory",
    "is_full",
    "make_directory",
    "naming",
    "remove_unfinished",
    "sync_directory",
    "write_by_sha256",
    "write_new",
    "write_through",
    "write_whole",
]


def write_whole(
    path: Path,
    content: str | bytes | Iterable[bytes],
    *,
    verify: Callable[[Path], None] = lambda unfinished: None,
) -> None:
    """Replace a file; it is complete and on disk when this returns. Makes missing folders.

    content: UTF-8 text, bytes, or parts that are written one after another.
    verify: called with a file that has all of it, before that one replaces the old file.
    Two processes may write the same file at the same time; the last one to finish replaces the
    other's. Raises OSError, and what `content` and `verify` raise; the old file is then unchanged.
    """
    with _unfinished(path) as file:
        for part in _parts(content):
            file.write(part)
        file.flush()
        verify(Path(file.name))
        _finish(file, path)


def write_by_sha256(folder: Path, parts: Iterable[bytes]) -> str:
    """Write the parts to a file that is named by their SHA-256, which is returned.

    As `write_whole`: the file is complete or absent, and a file of that name is replaced.
    """
    digest = hashlib.sha256()
    with _unfinished(folder / "text") as file:
        for part in parts:
            digest.update(part)
            file.write(part)
        name = digest.hexdigest()
        _finish(file, folder / name)
    return name


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


def make_directory(path: Path, *, exist_ok: bool = True) -> None:
    """Make a folder and those above it, each on disk in the folder above.

    Raises OSError; a folder that was made and cannot be synced is removed again.
    """
    missing = [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]
    path.mkdir(parents=True, exist_ok=exist_ok)
    try:
        for folder in reversed(missing):
            sync_directory(folder.parent)
    except OSError:
        with contextlib.suppress(OSError):
            for folder in missing:
                folder.rmdir()
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove the files that killed processes were writing to a folder.

    Those that a process is still writing stay. What cannot be removed stays too, and a folder that
    is missing or a link is left alone.
    """
    with contextlib.suppress(OSError):
        if not folder.is_symlink():
            for name in filter(_UNFINISHED.fullmatch, os.listdir(folder)):
                _remove_if_left(folder / name)


_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{32}\.tmp", re.DOTALL)


@contextlib.contextmanager
def _unfinished(path: Path) -> Iterator[BinaryIO]:
    """A new file beside a path, open to write; it is removed unless `_finish` renames it.

    It is locked while it is open. The kernel releases the lock when a process dies, so that a file
    without a lock is what a killed process left.
    """
    make_directory(path.parent)
    remove_unfinished(path.parent)
    # A name of its own, so that two processes do not write to the same temporary file.
    place = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with naming(path, place), _open_locked(place) as file:
            yield file
    finally:
        with contextlib.suppress(OSError):
            place.unlink()


def _open_locked(place: Path) -> BinaryIO:
    while True:
        file = place.open("xb")
        # A file system without locks: nothing is removed there, see `_remove_if_left`.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another process took it for a file that was left, before it was locked


def _finish(file: BinaryIO, path: Path) -> None:
    """Give an unfinished file its name; the old file is replaced in one step."""
    write_through(file)
    os.replace(file.name, path)
    sync_directory(path.parent)


def _remove_if_left(path: Path) -> None:
    with contextlib.suppress(OSError):
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                path.unlink()
        finally:
            os.close(descriptor)


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
