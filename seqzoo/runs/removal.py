"""Deletes runs: only folders that are certainly runs, and never anything that a link points to."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from seqzoo.errors import LockedError, NewerFormatError, UsageError
from seqzoo.results.result import read_result
from seqzoo.runs.directory import RunDirectory, open_run_directory
from seqzoo.runs.listing import is_run
from seqzoo.runs.status import Status, status_of
from seqzoo.terminal.format import quoted
from seqzoo.training.manifest import MANIFEST

__all__ = ["Removal", "removal_of", "remove"]


@dataclass(frozen=True)
class Removal:
    """A run that can be deleted.

    is_link: only the link is deleted then, and what it points to stays.
    others: names of what is in the folder and was not written by seqzoo itself.
    """

    path: Path
    status: Status
    is_link: bool
    others: tuple[str, ...]


def removal_of(path: Path) -> Removal:
    """What deleting a run removes; nothing is deleted yet.

    Raises UsageError for what is not certainly a run, and LockedError if it is in use.
    """
    if path.name in ("", ".."):
        path = path.resolve()
    if (path / "sweep.yaml").exists():
        members = sorted(entry for entry in path.iterdir() if is_run(entry))
        such = f"give its members, such as {quoted(members[0])}, and " if members else ""
        raise UsageError(
            f"{path} is a sweep, not a run; {such}delete the folder itself by other means."
        )
    if not is_run(path):
        open_run_directory(path)
    directory = RunDirectory(path)
    if inside := _runs_below(path):
        raise UsageError(f"{path} contains another run, {inside[0]}; delete or move it first.")
    if not _is_written_by_seqzoo(directory):
        raise UsageError(
            f"{path} has a recipe.yaml, but nothing that a run has written, so it is not deleted; "
            f"if it is a run, delete it by other means."
        )
    if holder := directory.holder():
        raise LockedError(f"{path} is in use by process {holder}; wait for it or stop it.")
    own = {file.name for file in vars(directory).values() if isinstance(file, Path)}
    others = sorted(
        entry.name
        for entry in path.iterdir()
        if entry.name not in own and not entry.name.endswith(".tmp")
    )
    return Removal(path, status_of(directory), path.is_symlink(), tuple(others))


def remove(removal: Removal) -> None:
    """Delete a run. Raises LockedError if it is in use, OSError if a file cannot be deleted.

    If the process is killed here, what is left is a damaged run, which can be deleted again.
    """
    if removal.is_link:
        removal.path.unlink()
        return
    directory = RunDirectory(removal.path)
    with directory.locked(to_remove=True):
        # First, so that half a run cannot be resumed. The origin is last: it says that it is a run.
        directory.recipe.unlink(missing_ok=True)
        last = (directory.origin, directory.lock)
        for entry in [entry for entry in directory.path.iterdir() if entry not in last]:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)  # does not follow links
            else:
                entry.unlink()
        for entry in last:
            entry.unlink(missing_ok=True)
        directory.path.rmdir()


def _runs_below(path: Path) -> list[str]:
    """Folders of other runs in a run, at any depth; links are not followed."""
    below = [(folder, names) for folder, _, names in os.walk(path) if Path(folder) != path]
    return [folder for folder, names in below if "origin.json" in names or "recipe.yaml" in names]


def _is_written_by_seqzoo(directory: RunDirectory) -> bool:
    if directory.origin.is_file() or any(directory.checkpoints.glob(f"step-*/{MANIFEST}")):
        return True
    try:
        read_result(directory.result)
    except NewerFormatError:
        return True
    except UsageError:
        return False
    return True
