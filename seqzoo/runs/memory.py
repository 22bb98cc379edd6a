"""Work of a run that may need more memory than there is: what is saved, and how to continue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from seqzoo.model.memory import enough_memory
from seqzoo.model.runtime import Runtime
from seqzoo.runs.directory import RunDirectory
from seqzoo.training.checkpoint_files import checkpoint_steps

__all__ = ["enough_memory_in"]


def enough_memory_in(
    directory: RunDirectory, task: str, runtime: Runtime, settings: Callable[[], Mapping[str, int]]
) -> AbstractContextManager[None]:
    """`enough_memory` for a stage of a run; the message says how the run continues."""

    def saved() -> str:
        steps = checkpoint_steps(directory.checkpoints)
        if not any(steps):
            return ""
        return (
            f"the run is saved up to step {steps[-1]}, and when memory is free, continue with: "
            f"{directory.to_continue}"
        )

    return enough_memory(task, runtime.device, settings, saved=saved)
