"""The power fails before any operation of a save: after it, the old or the new checkpoint loads.

A file is safe when it was synced after its last write; a name is safe when its folder was synced
after the name was made. The operations of real saves are recorded and played back on two disks,
each as unhelpful as a file system may be, and what they keep is written to a folder and loaded.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from file_operations import Operation, watching
from outcome import Outcome
from trial_failing_saves import save

from seqzoo.training import checkpoint as checkpoints

__all__ = ["trial"]

STEPS = 4


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """Cut `count` times, evenly over four saves, on each of two disks; seed: unused."""
    found, recorded = Outcome(), folder / "recorded"
    recorded.mkdir()
    operations: list[Operation] = []
    marks = []
    with watching(operations.append):
        for step in range(1, STEPS + 1):
            save(recorded / "checkpoints", step)
            marks.append(len(operations))
    inside = [operation for operation in operations if _is_in(operation, recorded)]
    found.require(len(inside) == len(operations), "a save changes files outside its folder")
    cuts = range(marks[0], len(operations) + 1)
    for cut in cuts[:: max(1, -(-2 * len(cuts) // max(count, 1)))]:
        saved = sum(mark <= cut for mark in marks)
        for disk in ("data is late", "names are late"):
            with found.case(f"power lost before operation {cut} of {len(operations)}, {disk}"):
                left = folder / "left"
                shutil.rmtree(left, ignore_errors=True)
                _played(operations[:cut], recorded, names_late=disk == "names are late").write(left)
                said: list[str] = []
                loaded = checkpoints.load_newest(left / "checkpoints", warn=said.append)
                found.require(not said, f"a checkpoint is damaged: {said}")
                found.require(loaded.step >= saved, f"step {loaded.step} is left of {saved}")
    return found


def _is_in(operation: Operation, folder: Path) -> bool:
    return PurePosixPath(operation.path).is_relative_to(folder) or operation.path == str(folder)


@dataclass
class _File:
    content: bytes = b""
    safe: bytes = b""


@dataclass
class _Folder:
    """names: as a program sees them. safe: those that a loss of power leaves."""

    names: dict[str, _File | _Folder] = field(default_factory=dict)
    safe: dict[str, _File | _Folder] = field(default_factory=dict)

    def write(self, path: Path, *, names_late: bool) -> None:
        path.mkdir(parents=True)
        for name, each in (self.safe if names_late else self.names).items():
            if isinstance(each, _Folder):
                each.write(path / name, names_late=names_late)
            else:
                # Where names are late, data is not: each disk has one fault.
                (path / name).write_bytes(each.content if names_late else each.safe)


@dataclass
class _Disk:
    root: _Folder
    names_late: bool

    def write(self, path: Path) -> None:
        self.root.write(path, names_late=self.names_late)


def _played(operations: Iterable[Operation], base: Path, *, names_late: bool) -> _Disk:
    """A disk after these operations.

    names_late: new names wait for a sync of their folder, and removed ones are gone at once.
    Otherwise names are there at once, and the content of files waits for their sync.
    """
    root = _Folder()
    for operation in operations:
        parts = _parts(operation.path, base)
        if not parts:
            if operation.kind == "fsync":
                root.safe = dict(root.names)
            continue
        parent = _find(root, parts[:-1])
        assert isinstance(parent, _Folder), operation
        name = parts[-1]
        match operation.kind:
            case "mkdir":
                parent.names.setdefault(name, _Folder())
            case "create":
                parent.names[name] = _File()
            case "write":
                file = parent.names[name]
                assert isinstance(file, _File)
                file.content += operation.content
            case "fsync":
                each = parent.names[name]
                if isinstance(each, _File):
                    each.safe = each.content
                else:
                    each.safe = dict(each.names)
            case "rename":
                moved = parent.names.pop(name)
                parent.safe.pop(name, None)
                target = _parts(operation.target, base)
                into = _find(root, target[:-1])
                assert isinstance(into, _Folder)
                into.names[target[-1]] = moved
            case "unlink" | "remove" | "rmdir":
                parent.names.pop(name, None)
                parent.safe.pop(name, None)
    return _Disk(root, names_late)


def _parts(path: str, base: Path) -> Sequence[str]:
    return PurePosixPath(path).relative_to(base).parts


def _find(root: _Folder, parts: Sequence[str]) -> _File | _Folder:
    place: _File | _Folder = root
    for part in parts:
        assert isinstance(place, _Folder)
        place = place.names[part]
    return place
