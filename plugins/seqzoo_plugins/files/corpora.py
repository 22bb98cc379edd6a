"""Files as corpora: memory-mapped in place, or joined once in the cache and mapped there."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from seqzoo import Corpus, UsageError, cache_directory
from seqzoo_plugins._cache import keep, map_bytes

__all__ = ["open_directory", "open_file"]

_BLOCK = 1 << 20


def open_file(base: Path, name: str) -> Corpus:
    """A file, memory-mapped. Raises UsageError if it cannot be read or is empty."""
    path = base / Path(name).expanduser()
    _require(path, path.is_file(), "a file", "for a folder use the corpus 'directory'")
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"corpus file {path} cannot be read: {error.strerror}.") from error
    if size == 0:
        raise UsageError(f"corpus file {path} is empty; choose a file with text in it.")
    return Corpus(name=path.name, data=map_bytes(path), origin=str(path))


def open_directory(base: Path, name: str, *, pattern: str, separator: bytes) -> Corpus:
    """The files below a folder that match, sorted by path, joined into one mapped file.

    Hidden files and links to folders are skipped. The joined file is written again when a file is
    added, removed, or changes in size or time. Raises UsageError if there is nothing to read.
    """
    folder = base / Path(name).expanduser()
    _require(folder, folder.is_dir(), "a folder", "for a single file use the corpus 'file'")
    found = {path.relative_to(folder).as_posix(): path for path in _visible_files(folder)}
    paths = [found[relative] for relative in sorted(found) if _matches(relative, pattern)]
    if not paths:
        raise UsageError(
            f"no file in {folder} matches '{pattern}' (files in it that are not hidden: "
            f"{len(found)}); change the pattern or the path."
        )
    try:
        stats = [path.stat() for path in paths]
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}.") from error
    sizes = [stat.st_size for stat in stats]
    num_bytes = sum(sizes) + len(separator) * (len(paths) - 1)
    if not any(sizes):
        raise UsageError(f"the {len(paths)} files of {folder} are all empty.")
    listing = [
        (path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns)
        for path, stat in zip(paths, stats, strict=True)
    ]
    described = json.dumps([str(folder.resolve()), listing, separator.hex()])
    key = hashlib.sha256(described.encode()).hexdigest()[:32]
    joined = cache_directory() / "directory" / f"{key}.bin"
    if not joined.is_file() or joined.stat().st_size != num_bytes:
        keep(joined, _joined(paths, separator))
        if joined.stat().st_size != num_bytes:
            joined.unlink(missing_ok=True)
            raise UsageError(f"files in {folder} changed while they were read; try again.")
    return Corpus(
        name=folder.resolve().name or "directory",
        data=map_bytes(joined),
        origin=f"{len(paths)} files of {folder} matching '{pattern}'",
    )


def _require(path: Path, is_so: bool, expected: str, otherwise: str) -> None:
    if is_so:
        return
    if path.exists():
        raise UsageError(f"corpus path {path} is not {expected}; {otherwise}.")
    hint = ""
    if path.parent.is_dir():
        siblings = [sibling.name for sibling in path.parent.iterdir() if sibling.name[0] != "."]
        close = difflib.get_close_matches(path.name, siblings, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
    raise UsageError(f"corpus path {path} does not exist.{hint}")


def _visible_files(folder: Path) -> Iterator[Path]:
    """Regular files that are not hidden; os.walk does not follow links to folders, so no loops."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _matches(relative: str, pattern: str) -> bool:
    """Whether a glob matches a path; `**` matches any number of folders, also none."""
    return _match_parts(relative.split("/"), pattern.removeprefix("./").split("/"))


def _match_parts(parts: list[str], patterns: list[str]) -> bool:
    if not patterns:
        return not parts
    first, *rest = patterns
    if first == "**":
        return any(_match_parts(parts[skip:], rest) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], first) and _match_parts(parts[1:], rest)


def _joined(paths: list[Path], separator: bytes) -> Iterator[bytes]:
    for place, path in enumerate(paths):
        if place:
            yield separator
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    yield block
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
