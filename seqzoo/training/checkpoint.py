"""Checkpoints: complete or absent after a kill at any moment, and verified before they are loaded.

A checkpoint is a directory `step-N` with the weights, the optimizer's moments, the carried state,
the random generators, state.json, and a MANIFEST.json with size and sha256 of each file. It is
written as `step-N.tmp`, all files and the directory are synced to disk, and then it is renamed, so
that `step-N` is complete or absent. No pickle is used. The manifest is checked before anything is
loaded, because neither torch.load nor safetensors detects a changed bit.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from typing import Any, BinaryIO

import safetensors.torch
from torch import Tensor

from seqzoo.errors import CheckpointError
from seqzoo.regular_files import open_to_read
from seqzoo.storage import make_directory, sync_directory, write_through
from seqzoo.training.checkpoint_files import checkpoint_steps, require_size, weights_sha256
from seqzoo.training.disk import disk_fault, may_pass, require_space
from seqzoo.training.manifest import (
    ALL_PARTS,
    FORMAT_VERSION,
    MANIFEST,
    PARTS,
    STATE,
    FileRecord,
    Manifest,
    as_json,
    parse_state,
    read_manifest,
    reason_of,
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

RETRY_SECONDS: tuple[float, ...] = (1.0, 4.0)
"""How long a save that failed waits before it is tried again, each time."""

_MOST_LISTINGS = 50
"""How often checkpoints are listed again because a run that trains has removed one."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything that the next update depends on.

    model, optimizer, carried, generators: tensors by name. state: plain JSON data.
    is_complete: False if only the weights are left (`keep_only_weights`); the other tensors are
    then empty, and training cannot continue.
    average: of a run that averages its weights, what that needs. If `state["averaged"]`, `model`
    has the averaged weights, and the trained ones are here.
    """

    step: int
    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    carried: Mapping[str, Tensor]
    generators: Mapping[str, Tensor]
    state: Mapping[str, Any]
    is_complete: bool = True
    average: Mapping[str, Tensor] = field(default_factory=dict)


def save(
    folder: Path,
    checkpoint: Checkpoint,
    *,
    keep: int,
    best: int | None,
    run: str = "",
    warn: Callable[[str], None] = lambda text: None,
) -> Path:
    """Write `folder/step-N` and read it back; then remove old ones except the last `keep` and
    step `best`.

    run: the id of the run, which the manifest has. warn: receives a sentence if the save failed and
    is tried again. Raises DiskFault if it cannot be written, before anything is written if there is
    not enough space; the earlier checkpoints stay valid.
    """
    files = _serialise(checkpoint, run)
    sizes = list(map(len, files.values()))
    waits = iter(RETRY_SECONDS)
    while True:
        require_space(folder, sizes)
        try:
            final = _write(folder, checkpoint.step, files)
            break
        except OSError as error:
            fault = disk_fault(folder, sizes, error)
            wait = next(waits, None) if may_pass(error) else None
            if wait is None:
                raise fault from error
            warn(f"{fault.problem}; trying again in {wait:g} seconds.")
            sleep(wait)
    _prune(folder, newest=checkpoint.step, keep=keep, best=best)
    return final


def load(folder: Path, step: int, *, run: str = "") -> Checkpoint:
    """The checkpoint of that step, every byte verified. run: the id of the run; "" for any.

    Raises CheckpointError naming the file that is missing, damaged or foreign, NewerFormatError
    for a checkpoint of a newer seqzoo.
    """
    directory = folder / f"step-{step}"
    contents = _verified(directory, step, run=run)
    state = parse_state(contents[STATE], directory / STATE, step=step)
    tensors = {}
    for part, name in ALL_PARTS.items():
        try:
            tensors[part] = safetensors.torch.load(contents[name]) if name in contents else {}
        except Exception as error:  # verified bytes that do not parse: written by something else
            raise CheckpointError(
                f"{directory / name} is not a file of seqzoo: {error}."
            ) from error
    is_complete = contents.keys() >= set(PARTS.values())
    return Checkpoint(step=step, state=state, is_complete=is_complete, **tensors)


def load_newest(folder: Path, *, run: str = "", warn: Callable[[str], None]) -> Checkpoint:
    """The newest checkpoint that is not damaged; `warn` is called for every newer damaged one.

    run: the id of the run; "" for any. Raises CheckpointError if there is none. One of a newer
    seqzoo is not passed over: training from an older step would replace it, so it is a
    NewerFormatError.
    """
    for _ in range(_MOST_LISTINGS):
        steps = checkpoint_steps(folder)
        if not steps:
            raise CheckpointError(f"{folder} has no checkpoint; start the run again.")
        found, failures = _newest_of(folder, steps, run)
        if failures and checkpoint_steps(folder) != steps:
            continue  # the run trains at this moment: it has a newer one, and removed this one
        if found is None:
            raise CheckpointError(
                " ".join(failures) + " No undamaged checkpoint is left; start the run again."
            )
        for failure in failures:
            warn(f"{failure} Using step {found.step} instead.")
        return found
    raise CheckpointError(
        f"the checkpoints in {folder} are replaced faster than they can be read, because the run "
        f"trains at this moment; nothing is damaged: wait, or stop the run, and try again."
    )


def _newest_of(folder: Path, steps: Sequence[int], run: str) -> tuple[Checkpoint | None, list[str]]:
    """The newest of these that is not damaged, and what is wrong with those after it."""
    failures: list[str] = []
    for step in reversed(steps):
        try:
            return load(folder, step, run=run), failures
        except CheckpointError as error:
            failures.append(str(error))
    return None, failures


def load_best(
    folder: Path, newest: Checkpoint, *, run: str = "", warn: Callable[[str], None]
) -> Checkpoint:
    """The best on validation, as recorded in `newest`; `newest` if that one is not available.

    Where the run trains at this moment and has removed it, the best that it has now.
    """
    for _ in range(_MOST_LISTINGS):
        best = newest.state["best"]
        if not best or best[0] == newest.step:
            return newest
        try:
            return load(folder, best[0], run=run)
        except CheckpointError as error:
            latest = load_newest(folder, run=run, warn=warn)
            if latest.step == newest.step:
                warn(f"{error} Using step {newest.step} instead of the best on validation.")
                return newest
            newest = latest
    return newest


def clear_unfinished(folder: Path) -> None:
    """Remove incomplete checkpoints, which a process left when it was killed."""
    if folder.is_dir():
        for entry in folder.iterdir():
            if entry.name.endswith(".tmp"):
                shutil.rmtree(entry, ignore_errors=True)


def _serialise(checkpoint: Checkpoint, run: str) -> dict[str, bytes]:
    files = {
        name: safetensors.torch.save(
            # A copy for each name: tied weights share storage, which safetensors does not accept.
            {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
        )
        for name, tensors in ((name, getattr(checkpoint, part)) for part, name in ALL_PARTS.items())
        if tensors or name in PARTS.values()
    }
    files[STATE] = as_json({**checkpoint.state, "step": checkpoint.step})
    records = {
        name: FileRecord(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    }
    manifest = Manifest(format_version=FORMAT_VERSION, step=checkpoint.step, run=run, files=records)
    return {**files, MANIFEST: manifest.content()}


def _write(folder: Path, step: int, files: Mapping[str, bytes]) -> Path:
    """Write a checkpoint, complete or not at all. Raises OSError."""
    final, temporary = folder / f"step-{step}", folder / f"step-{step}.tmp"
    try:
        make_directory(folder)
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
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    try:
        _verified(final, step)
    except CheckpointError as error:
        raise OSError(errno.EIO, f"what was written reads back differently: {error}") from error
    return final


def _verified(directory: Path, step: int, *, run: str = "") -> dict[str, bytes]:
    """Content of every file in the manifest. Raises CheckpointError at the first difference."""
    files = read_manifest(directory, step, run=run).files
    contents = {}
    with ExitStack() as stack:
        # All are opened before the first is read: a run that trains may remove them meanwhile.
        opened = {
            name: stack.enter_context(_opened(directory / name, recorded.bytes))
            for name, recorded in files.items()
        }
        _require_memory(directory, sum(recorded.bytes for recorded in files.values()))
        for name, recorded in files.items():
            path, content = directory / name, opened[name].read(recorded.bytes)
            require_size(path, len(content), recorded.bytes)
            if hashlib.sha256(content).hexdigest() != recorded.sha256:
                raise CheckpointError(f"{path} is damaged: its sha256 is not the recorded one.")
            contents[name] = content
    return contents


def _opened(path: Path, size: int) -> BinaryIO:
    try:
        file = open_to_read(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({reason_of(error)}).") from error
    try:
        require_size(path, os.fstat(file.fileno()).st_size, size)
    except CheckpointError:
        file.close()
        raise
    return file


def _require_memory(directory: Path, size: int) -> None:
    """Raises CheckpointError for a checkpoint that no process of this machine could hold."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 0 < memory < size:
        raise CheckpointError(
            f"{directory} has {size:,} bytes, more than the {memory:,} bytes of memory of this "
            f"machine."
        )


def _prune(folder: Path, *, newest: int, keep: int, best: int | None) -> None:
    """Remove old ones. Later ones too: they are damaged, because the run continued before them."""
    steps = checkpoint_steps(folder)
    kept = {*[step for step in steps if step <= newest][-keep:], best}
    for step in steps:
        if step not in kept:
            old, leaving = folder / f"step-{step}", folder / f"step-{step}.tmp"
            # Renamed first: a reader, and what a kill leaves, never has a half of it.
            with contextlib.suppress(OSError):
                os.rename(old, leaving)
            shutil.rmtree(leaving if leaving.exists() else old, ignore_errors=True)
