"""An existing run, opened again: its recipe, its corpus, and the model a checkpoint holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seqzoo.training import checkpoint as checkpoints
from seqzoo.runs.build import build_model, build_tokenizer, open_data
from seqzoo.data.corpus import Data
from seqzoo.storage import write_whole
from seqzoo.terminal.console import warn
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.errors import CheckpointError, UsageError
from seqzoo.recipes.load import Recipe, parse_recipe
from seqzoo.plugin.registry import Registry
from seqzoo.runs.directory import RunDirectory, open_run_directory
from seqzoo.model.runtime import Runtime, make_runtime
from seqzoo.training.loop import Effort

__all__ = [
    "Trained",
    "load_trained",
    "load_weights",
    "recorded_runtime",
    "reopen_data",
    "restored_tokenizer",
    "stored_recipe",
    "write_origin",
]


@dataclass(frozen=True)
class Trained:
    """A model as a checkpoint left it, with all that sampling and scoring need.

    runtime: where it runs now. record: what it was trained with, as `Runtime.record` gives it.
    """

    directory: RunDirectory
    recipe: Recipe
    runtime: Runtime
    tokenizer: Tokenizer
    model: SequenceModel
    step: int
    effort: Effort
    record: Mapping[str, Any]


def load_trained(
    path: Path, registry: Registry, *, device: str | None = None, step: int | None = None
) -> Trained:
    """The model of a run: of `step`, else the best on validation, else the newest."""
    directory = open_run_directory(path)
    recipe = stored_recipe(directory, registry)
    runtime = make_runtime(recipe.runtime, device=device)
    folder = directory.checkpoints
    newest = checkpoints.load_newest(folder, warn=warn)
    if step is None:
        checkpoint = checkpoints.load_best(folder, newest, warn=warn)
    else:
        known = checkpoints.checkpoint_steps(folder)
        if step not in known:
            raise UsageError(
                f"{path} has no checkpoint of step {step}; it has {', '.join(map(str, known))}."
            )
        checkpoint = checkpoints.load(folder, step)
    tokenizer = restored_tokenizer(recipe, checkpoint)
    model = build_model(recipe, vocab_size=tokenizer.vocab_size)
    load_weights(model, checkpoint)
    return Trained(
        directory,
        recipe,
        runtime,
        tokenizer,
        model.to(runtime.device),
        checkpoint.step,
        Effort(**newest.state["spent"]),
        newest.state["runtime"],
    )


def stored_recipe(directory: RunDirectory, registry: Registry) -> Recipe:
    """The recipe that a run was started with, its relative paths meaning what they meant."""
    return parse_recipe(
        directory.recipe.read_text(encoding="utf-8"),
        registry,
        source=str(directory.recipe),
        base=_origin(directory).base,
    )


def write_origin(directory: RunDirectory, recipe: Recipe, data: Data, *, fell_back: bool) -> None:
    """Store the recipe, and what it cannot say: its folder, and the corpus it really opened."""
    origin = {
        "base": str(recipe.base.resolve()),
        "corpus": {"name": data.corpus.name, "sha256": data.sha256, "fell_back": fell_back},
    }
    write_whole(directory.origin, json.dumps(origin, indent=1) + "\n")
    # Last, because a folder with a recipe is a run.
    write_whole(directory.recipe, recipe.to_yaml())


def reopen_data(directory: RunDirectory, recipe: Recipe) -> Data:
    """The bytes that a run was started on, be they its corpus or, then, its fallback.

    Raises UsageError where they are not the same any more.
    """
    origin = _origin(directory)
    if origin.fell_back and recipe.corpus.fallback is not None:
        fallback = recipe.corpus.fallback
        changed = {"name": fallback.name, "options": fallback.options, "fallback": None}
        recipe = recipe.model_copy(update={"corpus": recipe.corpus.model_copy(update=changed)})
    data = open_data(recipe, announce=warn)
    if data.sha256 != origin.sha256:
        raise UsageError(
            f"{directory.path} was trained on a corpus with sha256 {origin.sha256[:12]}…, and "
            f"'{data.corpus.name}' now has {data.sha256[:12]}…; put the old bytes back "
            f"({data.corpus.origin})."
        )
    return data


def restored_tokenizer(recipe: Recipe, checkpoint: checkpoints.Checkpoint) -> Tokenizer:
    """The recipe's tokenizer with what it had learnt; raises CheckpointError where it misfits."""
    tokenizer = build_tokenizer(recipe)
    try:
        tokenizer.restore(checkpoint.state["tokenizer"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"step {checkpoint.step} holds no state of tokenizer '{recipe.tokenizer.name}': {error}"
        ) from error
    return tokenizer


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


class _Origin(NamedTuple):
    base: Path
    sha256: str
    fell_back: bool


def _origin(directory: RunDirectory) -> _Origin:
    try:
        origin = json.loads(directory.origin.read_text(encoding="utf-8"))
        corpus = origin["corpus"]
        return _Origin(Path(origin["base"]), str(corpus["sha256"]), bool(corpus["fell_back"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{directory.origin} is missing or damaged, and without it the run's corpus and "
            f"relative paths are unknown; put it back from a copy, or start the run again from "
            f"{directory.recipe}."
        ) from error
