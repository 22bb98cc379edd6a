"""Checkpoints: complete or absent after a kill at any moment, and verified before they are loaded.

A checkpoint is a directory `step-N` with the weights, the optimizer's moments, the carried state,
the random generators, state.json, and a MANIFEST.json with size and sha256 of each file. It is
written as `step-N.tmp`, all files and the directory are synced to disk, and then it is renamed, so
that `step-N` is complete or absent. No pickle is used. The manifest is checked before anything is
loaded, because neither torch.load nor safetensors detects a changed bit.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from seqzoo.errors import CheckpointError, DiskFault, require_known_format
from seqzoo.storage import is_full, sync_directory, write_through
from seqzoo.training.checkpoint_files import (
    FORMAT_VERSION,
    MANIFEST,
    PARTS,
    STATE,
    WEIGHTS,
    checkpoint_steps,
    weights_sha256,
)

__all__ = [
    "MANIFEST",
    "Checkpoint",
    "checkpoint_steps",
    "clear_unfinished",
    "load",
    "load_best",
    "load_newest",
    "save",
    "weights_sha256",
]


@dataclass(frozen=True)
class Checkpoint:
    """Everything that the next update depends on.

    model, optimizer, carried, generators: tensors by name. state: plain JSON data.
    is_complete: False if only the weights are left (`keep_only_weights`); the other tensors are
    then empty, and training cannot continue.
    """

    step: int
    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    carried: Mapping[str, Tensor]
    generators: Mapping[str, Tensor]
    state: Mapping[str, Any]
    is_complete: bool = True


def save(folder: Path, checkpoint: Checkpoint, *, keep: int, best: int | None) -> Path:
    """Write `folder/step-N`; then remove old ones except the last `keep` and step `best`.

    Raises DiskFault if it cannot be written; the earlier checkpoints stay valid.
    """
    final = folder / f"step-{checkpoint.step}"
    temporary = folder / f"step-{checkpoint.step}.tmp"
    files = _serialise(checkpoint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if temporary.exists():
            shutil.rmtree(temporary)
        temporary.mkdir()
        for name, content in files.items():
            with (temporary / name).open("wb") as file:
                file.write(content)
                write_through(file)
        sync_directory(temporary)
        if final.exists():
            # The run had to continue from an earlier step, because this one was damaged.
            shutil.rmtree(final)
        os.rename(temporary, final)
        sync_directory(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise _disk_fault(folder, list(map(len, files.values())), error) from error
    _prune(folder, newest=checkpoint.step, keep=keep, best=best)
    return final


def load(folder: Path, step: int) -> Checkpoint:
    """The checkpoint of that step, every byte verified.

    Raises CheckpointError naming the file that is missing, damaged or foreign, NewerFormatError
    for a checkpoint of a newer seqzoo.
    """
    if type(step) is not int:  # it may be from state.json, and would be part of a path
        raise CheckpointError(f"{folder} has no checkpoint of step {step!r:.60}.")
    directory = folder / f"step-{step}"
    contents = _verified(directory, step)
    try:
        tensors = {
            part: safetensors.torch.load(contents[name]) if name in contents else {}
            for part, name in PARTS.items()
        }
        state = json.loads(contents[STATE])
    except Exception as error:  # verified bytes that do not parse: written by something else
        raise CheckpointError(f"{directory} is not a seqzoo checkpoint: {error}.") from error
    if state.get("step") != step:
        raise CheckpointError(f"{directory / STATE} says step {state.get('step')}, not {step}.")
    is_complete = len(contents) == len(PARTS) + 1
    return Checkpoint(step=step, state=state, is_complete=is_complete, **tensors)


def load_newest(folder: Path, *, warn: Callable[[str], None]) -> Checkpoint:
    """The newest checkpoint that is not damaged; `warn` is called for every newer damaged one.

    Raises CheckpointError if there is none. One of a newer seqzoo is not passed over: training from
    an older step would replace it, so it is a NewerFormatError.
    """
    steps = checkpoint_steps(folder)
    if not steps:
        raise CheckpointError(f"{folder} has no checkpoint; start the run again.")
    failures = []
    for step in reversed(steps):
        try:
            checkpoint = load(folder, step)
        except CheckpointError as error:
            failures.append(str(error))
            continue
        for failure in failures:
            warn(f"{failure} Using step {step} instead.")
        return checkpoint
    raise CheckpointError(
        " ".join(failures) + " No undamaged checkpoint is left; start the run again."
    )


def load_best(folder: Path, newest: Checkpoint, *, warn: Callable[[str], None]) -> Checkpoint:
    """The best on validation, as recorded in `newest`; `newest` if that one is not available."""
    best = newest.state["best"]
    if not best or best[0] == newest.step:
        return newest
    try:
        return load(folder, best[0])
    except CheckpointError as error:
        warn(f"{error} Using step {newest.step} instead of the best on validation.")
        return newest


def clear_unfinished(folder: Path) -> None:
    """Remove incomplete checkpoints, which a process left when it was killed."""
    if folder.is_dir():
        for entry in folder.iterdir():
            if entry.name.endswith(".tmp"):
                shutil.rmtree(entry, ignore_errors=True)


def _serialise(checkpoint: Checkpoint) -> dict[str, bytes]:
    files = {
        name: safetensors.torch.save(
            # A copy for each name: tied weights share storage, which safetensors does not accept.
            {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
        )
        for name, tensors in ((name, getattr(checkpoint, part)) for part, name in PARTS.items())
    }
    files[STATE] = _json({**checkpoint.state, "step": checkpoint.step})
    files[MANIFEST] = _json(
        {
            "format_version": FORMAT_VERSION,
            "step": checkpoint.step,
            "files": {
                name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in files.items()
            },
        }
    )
    return files


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _verified(directory: Path, step: int) -> dict[str, bytes]:
    """Content of every file in the manifest. Raises CheckpointError at the first difference."""
    try:
        manifest = json.loads((directory / MANIFEST).read_bytes())
        require_known_format(manifest, directory / MANIFEST, newest=FORMAT_VERSION)
        version, recorded, files = manifest["format_version"], manifest["step"], manifest["files"]
        expected = {name: (entry["bytes"], entry["sha256"]) for name, entry in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{directory / MANIFEST} is missing or damaged ({_reason(error)})."
        ) from error
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{directory / MANIFEST} has format {version}, this seqzoo reads {FORMAT_VERSION}; "
            f"use the version that wrote it."
        )
    if recorded != step or set(expected) not in ({*PARTS.values(), STATE}, {WEIGHTS, STATE}):
        raise CheckpointError(f"{directory / MANIFEST} is not the manifest of step {step}.")
    contents = {}
    for name, (size, sha256) in expected.items():
        path = directory / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read ({_reason(error)}).") from error
        if len(content) != size:
            raise CheckpointError(f"{path} is damaged: {len(content)} bytes, expected {size}.")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise CheckpointError(f"{path} is damaged: its sha256 is not the recorded one.")
        contents[name] = content
    return contents


def _prune(folder: Path, *, newest: int, keep: int, best: int | None) -> None:
    """Remove old ones. Later ones too: they are damaged, because the run continued before them."""
    steps = checkpoint_steps(folder)
    kept = {*[step for step in steps if step <= newest][-keep:], best}
    for step in steps:
        if step not in kept:
            shutil.rmtree(folder / f"step-{step}", ignore_errors=True)


def _disk_fault(folder: Path, sizes: Sequence[int], error: OSError) -> DiskFault:
    if not is_full(error):
        return DiskFault(
            f"a checkpoint could not be written to {folder}: {_reason(error)}", is_full=False
        )
    disk = os.statvfs(next(each for each in (folder, *folder.parents) if each.is_dir()))
    block, free = disk.f_frsize, disk.f_bavail * disk.f_frsize
    # Files take whole blocks, and so does each of the folders.
    needed = sum(-(-size // block) * block for size in (*sizes, 1, 1))
    why = ""
    if needed <= free:
        why = f" ({error.strerror}: a quota, or a part that the file system keeps for itself)"
    return DiskFault(
        f"not enough space for a checkpoint in {folder}: {needed:,} bytes needed, {free:,} "
        f"free{why}",
        is_full=True,
    )


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
