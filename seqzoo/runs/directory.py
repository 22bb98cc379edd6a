"""A run's directory: its name, its lock, and its files.

runs/NAME/recipe.yaml     the resolved recipe
          origin.json     what the recipe cannot say: its folder, and the corpus it opened
          metrics.jsonl   one line per log interval, equal for equal bits
          timing.jsonl    seconds and bytes per second at the same steps
          checkpoints/    see seqzoo/training/checkpoint.py
          samples/        generated text
          result.json     scores, see seqzoo/results/result.py
          lock            held while a process works here
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqzoo.errors import EnvironmentFault, LockedError, UsageError, did_you_mean

__all__ = ["RunDirectory", "create_run_directory", "open_run_directory"]


class RunDirectory:
    """Paths of one run, and its lock."""

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
        """Hold the run; the kernel frees the lock when the process ends, however it ends.

        Raises LockedError naming the process that holds it.
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
    """A new directory `root/name`; where that exists, `name-2`, `name-3`, … if `numbered`.

    Raises UsageError where it exists and `numbered` is False, EnvironmentFault where it cannot
    be made.
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
                    f"{path} exists; runs are never overwritten. Choose another --name, or go on "
                    f"with 'seqzoo resume {path}'."
                ) from None
            number += 1
        except OSError as error:
            raise EnvironmentFault(f"{path} cannot be made: {error.strerror}.") from error


def open_run_directory(path: Path) -> RunDirectory:
    """The directory of an existing run. Raises UsageError, with the nearest name, where none is."""
    directory = RunDirectory(path)
    if directory.recipe.is_file():
        return directory
    if path.exists():
        raise UsageError(f"{path} is not a run of seqzoo: it holds no recipe.yaml.")
    siblings = path.parent.iterdir() if path.parent.is_dir() else iter(())
    known = [entry.name for entry in siblings if (entry / "recipe.yaml").is_file()]
    raise UsageError(f"there is no run at {path}.{did_you_mean(path.name, known)}")
