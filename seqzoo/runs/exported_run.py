"""An exported folder as a model again: what a run can do that needs no corpus and no log."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from seqzoo.export.config import ExportConfig, is_export, read_config
from seqzoo.recipes.load import Recipe
from seqzoo.results.result import Result
from seqzoo.runs.directory import RunDirectory, open_run_directory
from seqzoo.runs.exported import exported_recipe, refuse
from seqzoo.runs.run import Run

if TYPE_CHECKING:
    from seqzoo.runs.reopen import Trained

__all__ = ["ExportedRun", "open_model"]


def open_model(path: Path, **settings: Any) -> Run:
    """The run or the exported folder at `path`. settings: see `Run`.

    Raises UsageError, with the nearest name, if there is neither, or if an exported folder is asked
    for another step.
    """
    if not is_export(path):
        return Run(open_run_directory(path), **settings)
    if settings.get("step") is not None:
        refuse(path, "no checkpoints of other steps; leave out --step")
    return ExportedRun(RunDirectory(path), **settings)


class ExportedRun(Run):
    """A model that `seqzoo export` wrote; it has no log, no checkpoints and no corpus."""

    @cached_property
    def config(self) -> ExportConfig:
        """What config.json says. Raises CheckpointError if it is damaged."""
        return read_config(self.path)

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that the model was trained with; of paths only the last part is kept."""
        return exported_recipe(self.path, self.config, self._registry)

    @property
    def result(self) -> Result | None:
        """The scores that were exported with the weights; None if there were none."""
        return self.config.result

    @cached_property
    def trained(self) -> Trained:
        """The loaded model, for the command line; not part of the API."""
        from seqzoo.runs.load_exported import load_exported

        return load_exported(self.path, self._registry, device=self._device, display=self._display)

    def metrics(self) -> dict[str, npt.NDArray[np.float64]]:
        """Raises UsageError: there is no log."""
        refuse(self.path, "no log of its training")

    def at(self, *, step: SupportsIndex) -> Run:
        """Raises UsageError: there are no other checkpoints."""
        refuse(self.path, "no checkpoints of other steps")
