"""Which processes of torchrun can train a run together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from seqzoo import torchrun
from seqzoo.errors import EnvironmentFault, UsageError
from seqzoo.runs.directory import RunDirectory
from seqzoo.training.checkpoint_files import recorded_processes

__all__ = ["require_devices", "require_same_ranks"]


def require_devices(device: torch.device) -> None:
    """Raises UsageError or EnvironmentFault where several processes cannot have a GPU each."""
    place = torchrun.here()
    if place is None or device.type != "cuda":
        return
    if device.index is not None:
        raise UsageError(
            f"the device is {device}, expected cuda: each process of torchrun has a GPU of its own."
        )
    if (found := torch.cuda.device_count()) < place.local_count:
        raise EnvironmentFault(
            f"torchrun has started {place.local_count} processes on a machine with {found} GPUs; "
            f"start as many as it has."
        )


def require_same_ranks(directory: RunDirectory, recorded: Mapping[str, Any]) -> None:
    """Raises UsageError where a run was trained by another number of processes than these.

    recorded: of its runtime.
    """
    before = recorded_processes(recorded)
    if (count := torchrun.number_of_processes()) != before:
        raise UsageError(
            f"{directory.path} was trained by {_counted(before)}, found {_counted(count)}: each "
            f"has its rows of a batch and its own random numbers. Continue it with: "
            f"{directory.to_continue}"
        )


def _counted(count: int) -> str:
    """Such as "2 processes"."""
    return f"{count} process{'es' if count > 1 else ''}"
