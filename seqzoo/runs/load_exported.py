"""Loads the model of an exported folder, as `reopen` loads that of a run."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import safetensors.torch

from seqzoo.errors import CheckpointError, UsageError
from seqzoo.export.config import CONFIG, WEIGHTS, ExportConfig, read_config, verified_weights
from seqzoo.model.runtime import make_runtime
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.experiment import Experiment, restored_tokenizer
from seqzoo.runs.exported import exported_recipe
from seqzoo.runs.reopen import Trained
from seqzoo.terminal.display import Display
from seqzoo.terminal.format import quoted
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.updates import Effort

__all__ = ["load_exported"]


def load_exported(
    path: Path, registry: Registry, *, device: str | None = None, display: Display
) -> Trained:
    """The model, the tokenizer and the recipe of an exported folder.

    The weights are compared with their sha256 before they are read, and no pickle is used. Raises
    CheckpointError, in one sentence, if a file is damaged.
    """
    config = read_config(path)
    content = verified_weights(path, config)
    try:
        model = safetensors.torch.load(content)
    except Exception as error:  # what is recorded with this hash, but is of something else
        raise CheckpointError(f"{path / WEIGHTS} is not a safetensors file: {error}.") from error
    weights = Checkpoint(
        step=config.step,
        model=model,
        optimizer={},
        carried={},
        generators={},
        state={"tokenizer": config.tokenizer.state, "probe": config.probe or None},
        is_complete=False,
    )
    recipe = exported_recipe(path, config, registry)
    _require_one_model(path, config, recipe)

    def no_data() -> NoReturn:
        raise UsageError(
            f"{path} is an exported folder, which has no corpus; the frozen model can score any "
            f"text: seqzoo eval {quoted(path)} --file TEXT"
        )

    experiment = Experiment(
        recipe,
        runtime=make_runtime(recipe.runtime, device=device),
        display=display,
        tokenizer=restored_tokenizer(recipe, weights),
        open_data=no_data,
        weights=weights,
    )
    effort = Effort(steps=config.step, bytes=0, seconds=0.0, peak_memory_bytes=0)
    return Trained(RunDirectory(path), experiment, config.step, effort, record={})


def _require_one_model(path: Path, config: ExportConfig, recipe: Recipe) -> None:
    """Raises CheckpointError if config.json names another model than its recipe."""
    for part in ("architecture", "tokenizer"):
        chosen, stored = getattr(recipe, part), getattr(config, part)
        if (stored.name, stored.options) != (chosen.name, chosen.options.model_dump(mode="json")):
            raise CheckpointError(
                f"{path / CONFIG} is damaged: its {part} is not that of its recipe; get the folder "
                f"again from where it came from."
            )
