"""Finds files below folders; hidden files, links to folders and seqzoo's own runs are skipped."""

from __future__ import annotations

import difflib
import errno
import fnmatch
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from seqzoo import UsageError

__all__ = ["files_below", "require", "shown", "tidy"]


def files_below(folder: Path, pattern: str) -> list[Path]:
    """The files below a folder that match, sorted by path. Raises UsageError if there are none."""
    require(folder, os.path.isdir(folder), "a folder", "for a single file use the corpus 'file'")
    found = {path.relative_to(folder).as_posix(): path for path in _visible_files(folder)}
    parts = _parts_of(pattern)
    paths = [found[relative] for relative in sorted(found) if _matches(relative, parts)]
    if not found:
        raise UsageError(
            f"The folder {shown(folder)} has no files to read (hidden files and runs of seqzoo are "
            f"left out)."
        )
    if not paths:
        raise UsageError(
            f"no file in {shown(folder)} matches '{pattern}' (files in it that are not hidden: "
            f"{len(found)}); change the pattern or the path."
        )
    return paths


def require(path: Path, is_so: bool, expected: str, otherwise: str) -> None:
    """Raises UsageError, with the nearest name, unless the path is what is expected.

    otherwise: what to do if it is the other one of a file and a folder.
    """
    if is_so:
        return
    if os.path.isfile(path) or os.path.isdir(path):
        raise UsageError(f"corpus path {shown(path)} is not {expected}; {otherwise}.")
    if os.path.exists(path):
        raise UsageError(
            f"corpus path {shown(path)} is neither a file nor a folder; give a text file."
        )
    if os.path.islink(path):
        raise UsageError(
            f"corpus path {shown(path)} is a link that {_fault_of_link(path)}; give the text "
            f"itself."
        )
    try:
        siblings = [name for name in os.listdir(path.parent) if name[0] != "."]
    except OSError:  # no such folder, or one that may not be read
        siblings = []
    close = difflib.get_close_matches(path.name, siblings, n=1)
    hint = f" Did you mean '{shown(close[0])}'?" if close else ""
    raise UsageError(f"corpus path {shown(path)} does not exist.{hint}")


def tidy(path: Path) -> Path:
    """The absolute path, without `..` where leaving it out does not change what is meant."""
    short = Path(os.path.abspath(path))
    return short if os.path.realpath(short) == os.path.realpath(path) else path.absolute()


def shown(path: str | os.PathLike[str]) -> str:
    """A path for messages and results, on one line."""
    return "".join(each if each.isprintable() else "\ufffd" for each in os.fspath(path))


def _fault_of_link(path: Path) -> str:
    try:
        os.stat(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "leads in a circle"
    return f"leads to {shown(os.path.realpath(path))}, which does not exist"


def _visible_files(folder: Path) -> Iterator[Path]:
    """Regular files that are not hidden; os.walk does not follow links to folders, so no loops."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not _is_output(Path(parent, name))
        ]
        for name in names:
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _is_output(folder: Path) -> bool:
    """Whether it is a run or a sweep: written while it reads a text, it would change that text."""
    return (folder / "lock").is_file() and (
        (folder / "recipe.yaml").is_file() or (folder / "sweep.yaml").is_file()
    )


def _parts_of(pattern: str) -> list[str]:
    """The parts of a glob; one `**` for several in a row, which mean the same."""
    parts: list[str] = []
    for part in pattern.removeprefix("./").split("/"):
        if part != "**" or parts[-1:] != ["**"]:
            parts.append(part)
    return parts


def _matches(relative: str, patterns: Sequence[str]) -> bool:
    """Whether the parts of a glob match a path; `**` matches any number of folders, also none.

    The path is read once, with all places of the glob that can be reached: trying one after the
    other takes a time that doubles with every `**`.
    """
    places = _reached(patterns, {0})
    for part in relative.split("/"):
        places.discard(len(patterns))
        stay = {place for place in places if patterns[place] == "**"}
        go = {place + 1 for place in places - stay if fnmatch.fnmatchcase(part, patterns[place])}
        places = _reached(patterns, stay | go)
    return len(patterns) in places


def _reached(patterns: Sequence[str], places: set[int]) -> set[int]:
    """The places, and those after a `**`, which can match no folder."""
    return places | {place + 1 for place in places if patterns[place : place + 1] == ["**"]}
