"""An existing run, opened again: its recipe, its corpus, and the model a checkpoint holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqzoo import checkpoint as checkpoints
from seqzoo.assembly import Data, build_model, build_tokenizer
from seqzoo.console import warn
from seqzoo.contracts import SequenceModel, Tokenizer
from seqzoo.errors import CheckpointError, UsageError
from seqzoo.recipe import Recipe, parse_recipe
from seqzoo.registry import Registry
from seqzoo.rundirectory import RunDirectory, open_run_directory
from seqzoo.runtime import Runtime, make_runtime
from seqzoo.scoring import Effort

__all__ = [
    "Trained",
    "load_trained",
    "load_weights",
    "recorded_runtime",
    "require_same_corpus",
    "stored_recipe",
    "write_origin",
]


@dataclass(frozen=True)
class Trained:
    """A model as a checkpoint left it, with all that sampling and scoring need."""

    directory: RunDirectory
    recipe: Recipe
    runtime: Runtime
    tokenizer: Tokenizer
    model: SequenceModel
    step: int
    effort: Effort


def load_trained(
    path: Path, registry: Registry, *, device: str | None = None, step: int | None = None
) -> Trained:
    """The model of a run: of `step`, else the best on validation, else the newest."""
    directory = open_run_directory(path)
    recipe = stored_recipe(directory, registry)
    runtime = make_runtime(recipe.runtime, device=device)
    folder = directory.checkpoints
    newest = checkpoint = checkpoints.load_newest(folder, warn=warn)
    if step is None:
        best = checkpoint.state["best"]
        if best and best[0] != checkpoint.step:
            checkpoint = checkpoints.load(folder, best[0])
    else:
        known = checkpoints.checkpoint_steps(folder)
        if step not in known:
            raise UsageError(
                f"{path} has no checkpoint of step {step}; it has {', '.join(map(str, known))}."
            )
        checkpoint = checkpoints.load(folder, step)
    tokenizer = build_tokenizer(recipe)
    tokenizer.restore(checkpoint.state["tokenizer"])
    model = build_model(recipe, vocab_size=tokenizer.vocab_size)
    load_weights(model, checkpoint)
    spent = newest.state["spent"]
    return Trained(
        directory,
        recipe,
        runtime,
        tokenizer,
        model.to(runtime.device),
        checkpoint.step,
        Effort(spent["steps"], spent["bytes"], spent["seconds"]),
    )


def stored_recipe(directory: RunDirectory, registry: Registry) -> Recipe:
    """The recipe that a run was started with, its relative paths meaning what they meant."""
    return parse_recipe(
        directory.recipe.read_text(encoding="utf-8"),
        registry,
        source=str(directory.recipe),
        base=Path(_origin(directory)["base"]),
    )


def write_origin(directory: RunDirectory, recipe: Recipe, data: Data) -> None:
    """Store the recipe, and what it cannot say: its folder, and the corpus it really opened."""
    directory.recipe.write_text(recipe.to_yaml(), encoding="utf-8")
    origin = {
        "base": str(recipe.base.resolve()),
        "corpus": {"name": data.corpus.name, "sha256": data.sha256},
    }
    directory.origin.write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")


def require_same_corpus(directory: RunDirectory, data: Data) -> None:
    """Raises UsageError where the corpus is not the one the run was started on."""
    expected = _origin(directory)["sha256"]
    if data.sha256 != expected:
        raise UsageError(
            f"{directory.path} was trained on a corpus with sha256 {expected[:12]}…, and "
            f"'{data.corpus.name}' now has {data.sha256[:12]}…; put the old bytes back "
            f"({data.corpus.origin})."
        )


def recorded_runtime(recipe: Recipe, recorded: Mapping[str, Any], device: str | None) -> Runtime:
    """The runtime of the run's first part, where it can be had; warns of what differs."""
    section = recipe.runtime
    if section.threads is None:
        section = section.model_copy(update={"threads": int(recorded["threads"])})
    runtime = make_runtime(section, device=device or str(recorded["device"]))
    now = runtime.record()
    for key in ("device", "accelerator", "cpu", "threads", "versions"):
        if now[key] != recorded[key]:
            warn(
                f"{key} was {recorded[key]} and is {now[key]}: the run goes on, but its last bits "
                f"may differ from those of a run that was never stopped."
            )
    return runtime


def load_weights(model: SequenceModel, checkpoint: checkpoints.Checkpoint) -> None:
    """Raises CheckpointError where the weights are another architecture's."""
    try:
        model.load_state_dict(dict(checkpoint.model))
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights of step {checkpoint.step} do not fit the recipe's architecture: {error}"
        ) from error


def _origin(directory: RunDirectory) -> dict[str, str]:
    try:
        origin = json.loads(directory.origin.read_text(encoding="utf-8"))
        return {"base": str(origin["base"]), "sha256": str(origin["corpus"]["sha256"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{directory.origin} is missing or damaged, so that the run cannot go on."
        ) from error
