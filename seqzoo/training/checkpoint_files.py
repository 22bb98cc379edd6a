"""The files of checkpoints, without torch: which steps there are, their state, what can be removed.

`seqzoo/training/checkpoint.py` says what the files hold, and writes and loads them.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from seqzoo.errors import CheckpointError
from seqzoo.regular_files import open_to_read, read_bytes
from seqzoo.storage import write_whole
from seqzoo.training.manifest import (
    ALL_PARTS,
    MANIFEST,
    STATE,
    WEIGHTS,
    Manifest,
    parse_state,
    read_manifest,
    reason_of,
)

__all__ = [
    "checkpoint_steps",
    "keep_only_weights",
    "processes_of",
    "recorded_processes",
    "removable_bytes",
    "require_size",
    "stored_checkpoint",
    "stored_state",
    "weights_sha256",
]

_NAME = re.compile(r"step-(0|[1-9][0-9]{0,17})")


def checkpoint_steps(folder: Path) -> list[int]:
    """Steps that have a checkpoint, ascending; `load` verifies that it is complete.

    A link is none: what it names is not the run's, and must not be pruned.
    """
    if not folder.is_dir():
        return []
    entries = (entry for entry in folder.iterdir() if not entry.is_symlink())
    matches = (_NAME.fullmatch(entry.name) for entry in entries)
    return sorted(int(match[1]) for match in matches if match)


def recorded_processes(runtime: Mapping[str, Any]) -> int:
    """How many processes trained together, by the record of their runtime."""
    return int(runtime.get("ranks", {}).get("count", 1))


def processes_of(folder: Path) -> int | None:
    """How many processes made the newest checkpoint; None if none can be read."""
    for step in reversed(checkpoint_steps(folder)):
        try:
            return recorded_processes(stored_state(folder, step)["runtime"])
        except (CheckpointError, OSError, KeyError, AttributeError, TypeError, ValueError):
            continue
    return None


def stored_state(folder: Path, step: int, *, run: str = "") -> dict[str, Any]:
    """state.json of a checkpoint. The sizes of its files are verified, their content is not.

    run: the id of the run. Raises CheckpointError if a file is missing or has another size, or if
    the checkpoint is of another run, NewerFormatError if a newer seqzoo has written it.
    """
    return stored_checkpoint(folder, step, run=run)[1]


def stored_checkpoint(folder: Path, step: int, *, run: str = "") -> tuple[Manifest, dict[str, Any]]:
    """The manifest and the state of a checkpoint; see `stored_state`."""
    directory = folder / f"step-{step}"
    manifest = read_manifest(directory, step, run=run)
    files = manifest.files
    try:
        for name, recorded in files.items():
            with open_to_read(directory / name) as file:
                require_size(directory / name, os.fstat(file.fileno()).st_size, recorded.bytes)
        content = read_bytes(directory / STATE, limit=files[STATE].bytes)
    except OSError as error:
        raise CheckpointError(
            f"{directory} is incomplete or damaged: {error.filename}: {reason_of(error)}."
        ) from error
    return manifest, parse_state(content, directory / STATE, step=step)


def require_size(path: Path, size: int, expected: int) -> None:
    """Raises CheckpointError if a file has another size than its manifest says."""
    if size != expected:
        raise CheckpointError(f"{path} is damaged: {size:,} bytes, expected {expected:,}.")


def weights_sha256(folder: Path, step: int) -> str:
    """The recorded hash of a checkpoint's weights; it is equal if and only if they are equal."""
    return read_manifest(folder / f"step-{step}", step).files[WEIGHTS].sha256


def keep_only_weights(folder: Path, steps: Collection[int]) -> None:
    """Remove every other checkpoint, and of `steps` all but the weights and state.json.

    Training cannot continue from them. If the process is killed here, the checkpoints of `steps`
    can still be loaded, and a second call removes the rest. Raises OSError, CheckpointError.
    """
    for step in steps:
        directory = folder / f"step-{step}"
        manifest = read_manifest(directory, step)
        if manifest.is_whole:
            kept = {name: manifest.files[name] for name in (WEIGHTS, STATE)}
            smaller = manifest.model_copy(update={"files": kept})
            write_whole(directory / MANIFEST, smaller.content())
    for path in _removable(folder, steps):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def removable_bytes(folder: Path, steps: Collection[int]) -> int:
    """How many bytes of files `keep_only_weights` would remove."""
    return sum(
        file.lstat().st_size
        for path in _removable(folder, steps)
        for file in ([path] if path.is_symlink() or path.is_file() else path.rglob("*"))
        if not file.is_dir()
    )


def _removable(folder: Path, steps: Collection[int]) -> list[Path]:
    """What is not needed to load the weights of `steps`; what is not a checkpoint's stays."""
    kept = {f"step-{step}" for step in steps}
    found = []
    for entry in sorted(folder.iterdir()):
        if entry.name in kept:
            found += [entry / name for name in ALL_PARTS.values() if name != WEIGHTS]
            found += entry.glob(".*.tmp")  # a manifest that a killed process was writing
        elif _NAME.fullmatch(entry.name.removesuffix(".tmp")):
            found.append(entry)
    return [path for path in found if path.exists() or path.is_symlink()]
