"""The runs in a folder, those of sweeps in it included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seqzoo.errors import UsageError
from seqzoo.runs.directory import RunDirectory, open_run_directory
from seqzoo.runs.status import Status, status_of
from seqzoo.terminal.format import quoted

__all__ = ["is_run", "require_one_run", "runs_in", "statuses_in"]


def is_run(path: Path) -> bool:
    """Whether a folder is a run, or what is left of one; never the folder of a sweep."""
    directory = RunDirectory(path)
    if (path / "sweep.yaml").exists():
        return False
    return directory.recipe.is_file() or directory.origin.is_file() or directory.result.is_file()


def runs_in(folder: Path) -> list[RunDirectory]:
    """Every run in a folder and in the folders directly in it, by name; hidden ones are left out.

    What cannot be read is left out.
    """
    found = []
    for path in _folders_in(folder):
        if is_run(path):
            found.append(RunDirectory(path))
        else:
            found += [RunDirectory(inner) for inner in _folders_in(path) if is_run(inner)]
    return found


def statuses_in(folder: Path) -> list[Status]:
    """The state of every run in a folder, the one that was written to last first."""
    return sorted(map(status_of, runs_in(folder)), key=lambda status: -status.changed)


def require_one_run(path: Path) -> RunDirectory:
    """The run at `path`. Raises UsageError; for a folder of runs it names those that can resume."""
    if is_run(path) or not path.is_dir() or not (statuses := statuses_in(path)):
        return open_run_directory(path)
    listed = "".join(
        f"\n  {each.directory.to_continue}   ({each.state}, step {each.progress})"
        for each in statuses
        if each.can_resume
    )
    if not listed:
        raise UsageError(
            f"{path} is a folder of runs, and none of them can be resumed; to list them, in a "
            f"shell: seqzoo runs {quoted(path)}"
        )
    raise UsageError(f"{path} is a folder of runs, not a run. These can be resumed:{listed}")


def _folders_in(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        try:
            if not entry.name.startswith(".") and entry.is_dir():
                yield entry
        except OSError:
            continue
