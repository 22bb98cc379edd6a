"""Renames a run, and says which records keep its old name."""

from __future__ import annotations

import os
from pathlib import Path

from seqzoo.errors import SeqzooError, UsageError
from seqzoo.recipes.sections import run_name
from seqzoo.runs.directory import RunDirectory, open_run_directory
from seqzoo.runs.listing import runs_in
from seqzoo.runs.origin import read_origin

__all__ = ["rename_run"]


def rename_run(path: Path, name: str) -> tuple[Path, list[str]]:
    """The new folder of a run, and sentences about what still has the old name.

    name: of the folder; its parent stays. Raises UsageError for a name that cannot be used or that
    exists, LockedError if the run is in use.
    """
    directory = open_run_directory(path)
    given = Path(name)
    if given.parent != Path() and given.parent.resolve() != path.absolute().parent.resolve():
        raise UsageError(
            f"{name} is in another folder than {path}; give only a new name. A run can be moved "
            f"to another folder like any folder."
        )
    try:
        target = path.absolute().parent / run_name(given.name)
    except ValueError as error:
        raise UsageError(f"{error}.") from None
    if path.parent != Path():
        target = path.parent / given.name
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists; runs are never overwritten, so give another name.")
    remarks = [
        f"{other.path} started from the weights of {path}, and its record keeps that name"
        for other in runs_in(path.absolute().parent)
        if _started_from(other, path)
    ]
    remarks += [
        f"{other.path} is an ensemble of {path} and others, and its record keeps that name"
        for other in runs_in(path.absolute().parent)
        if _is_made_of(other, path)
    ]
    if (path.absolute().parent / "sweep.yaml").exists():
        remarks.append(
            f"the sweep in {path.absolute().parent} knows this run by its old name, and would "
            f"train it again"
        )
    with directory.locked():
        os.rename(path, target)
    return target, remarks


def _started_from(directory: RunDirectory, source: Path) -> bool:
    try:
        origin = read_origin(directory)
    except SeqzooError:
        return False
    start = origin.started_from
    return start is not None and (origin.base / Path(start.path).expanduser()).resolve() == (
        source.resolve()
    )


def _is_made_of(directory: RunDirectory, member: Path) -> bool:
    try:
        return member.name in [each.run for each in read_origin(directory).members]
    except SeqzooError:
        return False
