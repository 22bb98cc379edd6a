"""The directory of a run: its name, its lock, and its files.

runs/NAME/recipe.yaml     the resolved recipe
          origin.json     facts that are not in the recipe, see seqzoo/runs/origin.py
          metrics.jsonl   one line for each logged step, equal in a repeated run
          timing.jsonl    seconds and bytes per second at the same steps
          checkpoints/    see seqzoo/training/checkpoint.py
          samples/        generated text
          result.json     scores, see seqzoo/results/result.py
          lock            held while a process uses the run
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqzoo.errors import EnvironmentFault, LockedError, UsageError, did_you_mean
from seqzoo.terminal.format import quoted

__all__ = ["RunDirectory", "create_run_directory", "open_run_directory"]


class RunDirectory:
    """The paths of one run, and its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.yaml"
        self.origin = path / "origin.json"
        self.metrics = path / "metrics.jsonl"
        self.timing = path / "timing.jsonl"
        self.checkpoints = path / "checkpoints"
        self.samples = path / "samples"
        self.result = path / "result.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the run; the kernel releases the lock when the process ends, even if it is killed.

        Raises LockedError, which names the process that holds the lock.
        """
        with (self.path / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise LockedError(
                    f"{self.path} is in use by process {holder}; wait for it or stop it."
                ) from None
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield


def create_run_directory(root: Path, name: str, *, numbered: bool) -> RunDirectory:
    """A new directory `root/name`. If that exists and `numbered` is True: `name-2`, `name-3`, …

    Raises UsageError if it exists and `numbered` is False, EnvironmentFault if it cannot be
    created.
    """
    number = 1
    while True:
        path = root / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
            return RunDirectory(path)
        except FileExistsError:
            if not numbered:
                raise UsageError(
                    f"{path} exists; runs are never overwritten. Choose another name, or "
                    f"continue it with: seqzoo resume {quoted(path)}"
                ) from None
            number += 1
        except OSError as error:
            raise EnvironmentFault(f"{path} cannot be created: {error.strerror}.") from error


def open_run_directory(path: Path) -> RunDirectory:
    """The directory of a run. Raises UsageError, with a similar name, if there is none."""
    directory = RunDirectory(path)
    if directory.recipe.is_file():
        return directory
    if path.exists():
        raise UsageError(f"{path} is not a run of seqzoo: it has no recipe.yaml.")
    siblings = path.parent.iterdir() if path.parent.is_dir() else iter(())
    known = [entry.name for entry in siblings if (entry / "recipe.yaml").is_file()]
    raise UsageError(f"there is no run at {path}.{did_you_mean(path.name, known)}")
