"""What an exported folder says, and what it has not, without torch (docs/export.md)."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from seqzoo.errors import UsageError
from seqzoo.export.config import CONFIG, ExportConfig, is_export, read_config
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe, parse_recipe
from seqzoo.recipes.yaml_scalars import dump_yaml
from seqzoo.runs.directory import RunDirectory, open_run_directory
from seqzoo.training.checkpoint_files import weights_sha256

__all__ = ["exported_recipe", "refuse", "require_model", "weights_sha256_in"]


def require_model(path: Path) -> None:
    """Raises UsageError if there is neither a run nor an exported folder."""
    if not is_export(path):
        open_run_directory(path)


def exported_recipe(folder: Path, config: ExportConfig, registry: Registry) -> Recipe:
    """The checked recipe of config.json; relative paths in it start from the folder."""
    source = f"{folder / CONFIG} (recipe)"
    return parse_recipe(dump_yaml(config.recipe), registry, source=source, base=folder)


def weights_sha256_in(folder: Path, step: int) -> str:
    """The hash of the weights of a run at a step, or of an exported folder, which has one step.

    Raises CheckpointError if there are none.
    """
    if is_export(folder):
        return read_config(folder).weights_sha256
    return weights_sha256(RunDirectory(folder).checkpoints, step)


def refuse(path: Path, missing: str) -> NoReturn:
    """Raises UsageError. missing: what an exported folder has not."""
    raise UsageError(f"{path} is an exported folder, which has {missing}.")
