"""The files of checkpoints, without torch: which steps there are, their state, what can be removed.

`seqzoo/training/checkpoint.py` says what the files hold, and writes and loads them.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from seqzoo.errors import CheckpointError, require_known_format
from seqzoo.storage import write_whole

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST",
    "PARTS",
    "STATE",
    "WEIGHTS",
    "checkpoint_steps",
    "has_only_weights",
    "keep_only_weights",
    "removable_bytes",
    "stored_state",
    "weights_sha256",
]

FORMAT_VERSION = 1

MANIFEST = "MANIFEST.json"
STATE = "state.json"
WEIGHTS = "model.safetensors"
PARTS = {
    "model": WEIGHTS,
    "optimizer": "optimizer.safetensors",
    "carried": "carried.safetensors",
    "generators": "generators.safetensors",
}
"""The file of each group of tensors."""

_NAME = re.compile(r"step-(\d+)")


def checkpoint_steps(folder: Path) -> list[int]:
    """Steps that have a checkpoint, ascending; `load` verifies that it is complete."""
    if not folder.is_dir():
        return []
    matches = (_NAME.fullmatch(entry.name) for entry in folder.iterdir())
    return sorted(int(match[1]) for match in matches if match)


def stored_state(folder: Path, step: int) -> dict[str, Any]:
    """state.json of a checkpoint. The sizes of its files are verified, their content is not.

    Raises CheckpointError if a file is missing or has another size, NewerFormatError if a newer
    seqzoo has written it.
    """
    directory = folder / f"step-{step}"
    try:
        manifest = json.loads((directory / MANIFEST).read_bytes())
        require_known_format(manifest, directory / MANIFEST, newest=FORMAT_VERSION)
        files = manifest["files"]
        if not set(files) <= {*PARTS.values(), STATE}:
            raise ValueError("it names other files than those of a checkpoint")
        for name, recorded in files.items():
            found, expected = (directory / name).stat().st_size, recorded["bytes"]
            if found != expected:
                raise CheckpointError(
                    f"{directory / name} is damaged: {found} bytes, expected {expected}."
                )
        state = json.loads((directory / STATE).read_bytes())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CheckpointError(f"{directory} is incomplete or damaged ({reason}).") from error
    if not isinstance(state, dict) or state.get("step") != step:
        raise CheckpointError(f"{directory / STATE} is not the state of step {step}.")
    return state


def weights_sha256(folder: Path, step: int) -> str:
    """The recorded hash of a checkpoint's weights; it is equal if and only if they are equal."""
    manifest = json.loads((folder / f"step-{step}" / MANIFEST).read_text())
    return str(manifest["files"][WEIGHTS]["sha256"])


def keep_only_weights(folder: Path, steps: Collection[int]) -> None:
    """Remove every other checkpoint, and of `steps` all but the weights and state.json.

    Training cannot continue from them. If the process is killed here, the checkpoints of `steps`
    can still be loaded, and a second call removes the rest. Raises OSError.
    """
    for step in steps:
        directory = folder / f"step-{step}"
        manifest = json.loads((directory / MANIFEST).read_bytes())
        recorded = manifest["files"]
        kept = {name: recorded[name] for name in (WEIGHTS, STATE)}
        if len(kept) < len(recorded):
            manifest["files"] = kept
            write_whole(directory / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    for path in _removable(folder, steps):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def has_only_weights(folder: Path, step: int) -> bool:
    """Whether `keep_only_weights` was used on a checkpoint. Raises CheckpointError for damage."""
    path = folder / f"step-{step}" / MANIFEST
    try:
        recorded = json.loads(path.read_bytes())["files"]
        return PARTS["optimizer"] not in recorded
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}).") from error


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
            found += [entry / name for name in PARTS.values() if name != WEIGHTS]
            found += entry.glob(".*.tmp")  # a manifest that a killed process was writing
        elif _NAME.fullmatch(entry.name.removesuffix(".tmp")):
            found.append(entry)
    return [path for path in found if path.exists() or path.is_symlink()]
