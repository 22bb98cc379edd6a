"""Makes finished runs smaller: the best and the last weights stay, what continues training goes."""

from __future__ import annotations

from seqzoo.errors import NewerFormatError, UsageError
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.status import RunState, Status
from seqzoo.training.checkpoint_files import (
    checkpoint_steps,
    keep_only_weights,
    removable_bytes,
    stored_state,
)

__all__ = ["freed_bytes", "prune", "require_finished"]


def require_finished(status: Status) -> None:
    """Raises UsageError for a run that may still be trained or scored, or is of a newer seqzoo."""
    if status.state is RunState.NEWER:
        raise NewerFormatError(status.reason)
    if status.state is not RunState.FINISHED:
        raise UsageError(
            f"{status.directory.path} is {status.state}, and only finished runs can be pruned: "
            f"their training does not need to continue."
        )


def freed_bytes(directory: RunDirectory) -> int:
    """How many bytes `prune` would free."""
    return removable_bytes(directory.checkpoints, _kept_steps(directory))


def prune(directory: RunDirectory) -> int:
    """Remove the optimizer's moments, the carried state, and older checkpoints; the bytes freed.

    Sampling and scoring work as before; training cannot continue. Raises LockedError if the run is
    in use, OSError if a file cannot be deleted.
    """
    with directory.locked():
        freed = freed_bytes(directory)
        keep_only_weights(directory.checkpoints, _kept_steps(directory))
        return freed


def _kept_steps(directory: RunDirectory) -> set[int]:
    """The newest checkpoint, which has what training has cost, and the best on validation."""
    steps = checkpoint_steps(directory.checkpoints)
    best = stored_state(directory.checkpoints, steps[-1]).get("best")
    return {steps[-1], *({best[0]} & set(steps) if best else ())}
