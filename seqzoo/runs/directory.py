"""The directory of a run: its name, its lock, and its files.

runs/NAME/recipe.yaml     the resolved recipe
          origin.json     facts that are not in the recipe, see seqzoo/runs/origin.py
          changes.json    settings that changed later, see seqzoo/runs/changes.py
          metrics.jsonl   one line for each logged step, equal in a repeated run
          timing.jsonl    seconds and bytes per second at the same steps
          checkpoints/    see seqzoo/training/checkpoint.py
          samples/        generated text
          result.json     scores, see seqzoo/results/result.py
          card.json       for others who repeat it, see seqzoo/cards/card.py
          diverged.txt    why training could not continue, see seqzoo/runs/status.py
          note.txt        a note of the user
          lock            held while a process uses the run
          trackers.json   how far each tracker is; locked while trackers run
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from seqzoo.errors import EnvironmentFault, LockedError, UsageError, did_you_mean
from seqzoo.export.config import is_export
from seqzoo.regular_files import open_to_change, open_to_read
from seqzoo.storage import is_full, make_directory, remove_unfinished
from seqzoo.terminal.format import quoted
from seqzoo.torchrun import for_processes, number_of_processes
from seqzoo.training.checkpoint_files import checkpoint_steps, processes_of

__all__ = ["RunDirectory", "create_run_directory", "open_run_directory", "require_free"]


_LONGEST_NAME = 400


class RunDirectory:
    """The paths of one run, and its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.yaml"
        self.origin = path / "origin.json"
        self.changes = path / "changes.json"
        self.metrics = path / "metrics.jsonl"
        self.timing = path / "timing.jsonl"
        self.checkpoints = path / "checkpoints"
        self.samples = path / "samples"
        self.result = path / "result.json"
        self.card = path / "card.json"
        self.diverged = path / "diverged.txt"
        self.note = path / "note.txt"
        self.lock = path / "lock"
        self.trackers = path / "trackers.json"
        self._held: BinaryIO | None = None
        self._named = b""

    @property
    def to_continue(self) -> str:
        """The command that continues the run in a shell, in as many processes as it began in."""
        count = processes_of(self.checkpoints) or number_of_processes()
        return for_processes(f"seqzoo resume {quoted(self.path)}", count)

    @contextmanager
    def locked(self, *, to_remove: bool = False) -> Iterator[None]:
        """Lock the run; the kernel releases the lock when the process ends, even if it is killed.

        to_remove: nothing is written into it, so that a folder of the run may be a link.
        Raises LockedError, which names the process that holds the lock, and EnvironmentFault if
        there can be no lock, or if a folder of the run is a link.
        """
        if not to_remove:
            self._require_own_folders()
        try:
            file = open_to_change(self.lock)
        except OSError as error:
            remedy = "make room" if is_full(error) else "use a copy of the run that can be written"
            if os.path.lexists(self.lock) and not _is_regular(self.lock):
                remedy = "seqzoo makes a file of this name; move what is there out of the folder"
            raise EnvironmentFault(
                f"{self.lock} cannot be opened: {error.strerror}; {remedy}."
            ) from error
        with file:
            self._take(file)
            self._named = b""
            # The lock is held also if a full disk cannot store who holds it.
            with contextlib.suppress(OSError):
                named = f"{os.getpid()} {platform.node()} {secrets.token_hex(8)}\n".encode()
                os.ftruncate(file.fileno(), 0)
                os.write(file.fileno(), named)
                self._named = named
            self._held = file
            for folder in (self.path, self.samples):
                remove_unfinished(folder)
            try:
                yield
            finally:
                self._held = None

    def holder(self) -> str | None:
        """The process that holds the lock, as a number; None if the run is free."""
        try:
            with open_to_read(self.lock) as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return _number_in(file)
        except OSError:  # no lock: no process has used the run yet
            pass
        return None

    def require_in_place(self) -> None:
        """Raises EnvironmentFault if the folder was renamed, removed or taken over since the lock.

        What is written to its path would then be in another folder than the run. A shared disk
        releases the lock of a machine that it no longer reaches; another one may then continue the
        run, and if the first comes back, both would write.
        """
        if self._held is None:
            return
        try:
            if os.path.samestat(os.stat(self.lock), os.fstat(self._held.fileno())):
                # Opened again, because a shared disk shows what others wrote from then on.
                with open_to_read(self.lock) as file:
                    named = file.read(_LONGEST_NAME)
                if named == self._named or not self._named:
                    return
                raise EnvironmentFault(
                    f"{self.path} was taken over by {_in_words(named)}, so this process stops and "
                    f"writes nothing more into it."
                )
        except OSError:
            pass
        raise EnvironmentFault(
            f"{self.path} was renamed or removed while the run was in use; everything up to the "
            f"last checkpoint is in the renamed folder; continue with: seqzoo resume "
            f"{_new_place(self._held)}"
        )

    def _require_own_folders(self) -> None:
        for folder in (self.checkpoints, self.samples):
            if folder.is_symlink():
                raise EnvironmentFault(
                    f"{folder} is a link, and nothing is written through a link; put the folder "
                    f"itself in its place."
                )

    def _take(self, file: BinaryIO) -> None:
        # A process that only asks for the holder has the lock for an instant.
        for is_last in (False,) * 10 + (True,):
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not is_last:
                    time.sleep(0.01)
        _number_in(file)
        file.seek(0)
        holder = _in_words(file.read(_LONGEST_NAME))
        raise LockedError(f"{self.path} is in use by {holder}; wait for it or stop it.")


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1


def _number_in(lock: BinaryIO) -> str:
    """The process that a lock file names; "unknown" if it has not written its number.

    It has the lock for a moment before it writes the number.
    """
    for _ in range(100):
        lock.seek(0)
        number = lock.read(_LONGEST_NAME).partition(b" ")[0].strip()
        if number.isdigit():
            return number.decode()
        time.sleep(0.01)
    return "unknown"


def _in_words(named: bytes) -> str:
    """The process that a lock file names, with its machine if that is another one."""
    number, machine, *_ = [*named.decode(errors="replace").split(), "", ""]
    if not number.isdigit():
        return "another process"
    if not machine.isprintable() or machine in ("", platform.node()):
        return f"process {number}"
    return f"process {number} of machine {machine}"


def _new_place(file: BinaryIO) -> str:
    """The folder that an open file is in now, where the system tells (Linux)."""
    try:
        path = Path(os.readlink(f"/proc/self/fd/{file.fileno()}"))
    except OSError:
        return "FOLDER"
    return quoted(path.parent) if path.exists() else "FOLDER"


def require_free(path: Path) -> None:
    """Raises UsageError if something is at the path of a new run."""
    if not os.path.lexists(path):
        return
    if not checkpoint_steps(path / "checkpoints"):  # also what a kill in the first second leaves
        raise UsageError(
            f"{path} exists; runs are never overwritten. It has no checkpoint to continue from, so "
            f"choose another name, or remove it."
        )
    raise UsageError(
        f"{path} exists; runs are never overwritten. Choose another name, or continue it with: "
        f"{RunDirectory(path).to_continue}"
    )


def create_run_directory(root: Path, name: str, *, numbered: bool) -> RunDirectory:
    """A new directory `root/name`. If that exists and `numbered` is True: `name-2`, `name-3`, …

    Raises UsageError if it exists and `numbered` is False, EnvironmentFault if it cannot be
    created.
    """
    number = 1
    while True:
        path = root / (name if number == 1 else f"{name}-{number}")
        try:
            make_directory(path, exist_ok=False)
            return RunDirectory(path)
        except FileExistsError:
            if not numbered:
                require_free(path)
            number += 1
        except KeyboardInterrupt:
            with contextlib.suppress(OSError):
                path.rmdir()  # which removes nothing but an empty folder
            raise
        except OSError as error:
            remedy = "choose another folder for runs"
            if is_full(error):
                remedy = "nothing is saved; make room and run the command again"
            raise EnvironmentFault(
                f"{path} cannot be created: {error.strerror}; {remedy}."
            ) from error


def open_run_directory(path: Path) -> RunDirectory:
    """The directory of a run. Raises UsageError, with a similar name, if there is none."""
    directory = RunDirectory(path)
    if os.path.lexists(directory.recipe):  # something else than a file is refused by who reads it
        return directory
    if inside := _runs_in(path):
        raise UsageError(
            f"{path} is a folder of runs, not a run; give one of them, such as "
            f"{quoted(path / inside[0])}. To list them, in a shell: seqzoo runs {quoted(path)}"
        )
    if is_export(path):
        raise UsageError(
            f"{path} is an exported folder and not a run: it has no checkpoints, no log and no "
            f"corpus; seqzoo sample can use it, and seqzoo eval with --file TEXT."
        )
    if path.exists():
        raise UsageError(f"{path} is not a run of seqzoo: it has no recipe.yaml.")
    usual = Path("runs") / path
    if (usual / "recipe.yaml").is_file():
        raise UsageError(f"there is no run at {path}. Did you mean '{usual}'?")
    raise UsageError(f"there is no run at {path}.{did_you_mean(path.name, _runs_in(path.parent))}")


def _runs_in(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if (path / "recipe.yaml").is_file())
