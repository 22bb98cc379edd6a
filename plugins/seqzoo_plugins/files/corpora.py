"""Files as corpora: one file as it is, or several joined once in the cache."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from seqzoo import Corpus, UsageError, cache_directory, map_bytes, open_cached
from seqzoo_plugins.files.found import files_below, require, shown, tidy
from seqzoo_plugins.files.own_text import split_pattern

__all__ = ["open_directory", "open_file", "open_files"]

_BLOCK = 1 << 20


def open_file(path: Path) -> Corpus:
    """A file. Raises UsageError if it cannot be read or is empty."""
    path = tidy(path)
    require(path, os.path.isfile(path), "a file", "for a folder use the corpus 'directory'")
    try:
        data = map_bytes(path)
    except OSError as error:
        raise UsageError(f"corpus file {shown(path)} cannot be read: {error.strerror}.") from error
    if not len(data):
        raise UsageError(f"corpus file {shown(path)} is empty; choose a file with text in it.")
    return Corpus(
        name=shown(path.name),
        data=data,
        origin=shown(path),
        files=[(str(path), 0, len(data))],
    )


def open_directory(folder: Path, *, pattern: str, separator: bytes) -> Corpus:
    """The files below a folder that match, sorted by path, joined into one file.

    Raises UsageError if there is nothing to read.
    """
    folder = tidy(folder)
    paths = files_below(folder, pattern)
    return _joined(
        paths,
        separator,
        name=shown(folder.resolve().name) or "directory",
        origin=f"{len(paths)} files of {shown(folder)} matching '{pattern}'",
    )


def open_files(given: Sequence[Path], *, separator: bytes) -> Corpus:
    """Files, and the files of folders and patterns, joined in the order given, each file once.

    Raises UsageError if one of them gives nothing to read.
    """
    # A file that is there twice would be trained on and tested on.
    paths: dict[Path, Path] = {}
    given = [tidy(each) for each in given]
    for each in given:
        for path in _files_of(each):
            paths.setdefault(path.resolve(), path)
    first, others = shown(given[0].name or given[0]), len(given) - 1
    return _joined(
        list(paths.values()),
        separator,
        name=f"{first} and {others} more" if others else first,
        origin=f"{len(paths)} files of " + ", ".join(map(shown, given)),
    )


def _files_of(path: Path) -> list[Path]:
    folder, pattern = split_pattern(str(path))
    if pattern or os.path.isdir(folder):
        return files_below(folder, pattern or "**/*")
    require(path, os.path.isfile(path), "a file or a folder", "give the path of a file or a folder")
    return [path]


def _joined(paths: Sequence[Path], separator: bytes, *, name: str, origin: str) -> Corpus:
    """The files joined in the cache, again if one was added, removed or changed."""
    listing = _listing(paths)
    sizes = [size for _, size, *_ in listing]
    if not any(sizes):
        raise UsageError(f"nothing to read: the {origin} are all empty.")

    def parts() -> Iterator[bytes]:
        yield from _parts(paths, separator)
        if _listing(paths) != listing:
            raise UsageError(f"files changed while they were read ({origin}); try again.")

    key = hashlib.sha256(json.dumps([listing, separator.hex()]).encode()).hexdigest()[:32]
    data = open_cached(cache_directory() / "directory" / f"{key}.bin", parts)
    starts = list(accumulate((size + len(separator) for size in sizes[:-1]), initial=0))
    places = zip(map(str, paths), starts, sizes, strict=True)
    # Without a separator, an empty file begins where the next one does.
    documents = np.unique([start for start, size in zip(starts, sizes, strict=True) if size])
    return Corpus(
        name=name,
        data=data,
        origin=origin,
        files=[(path, start, start + size) for path, start, size in places],
        documents=np.union1d([0], documents).astype(np.int64),
    )


def _listing(paths: Sequence[Path]) -> list[tuple[str, int, int, int]]:
    """What changes with the files: their places, sizes and times.

    A time of modification can be set back; the time of the last change cannot.
    """
    try:
        stats = [path.stat() for path in paths]
    except OSError as error:
        raise UsageError(f"{shown(error.filename)} cannot be read: {error.strerror}.") from error
    return [
        (str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        for path, stat in zip(paths, stats, strict=True)
    ]


def _parts(paths: Sequence[Path], separator: bytes) -> Iterator[bytes]:
    for place, path in enumerate(paths):
        if place:
            yield separator
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    yield block
        except OSError as error:
            raise UsageError(f"{shown(path)} cannot be read: {error.strerror}.") from error
