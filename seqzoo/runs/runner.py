"""Runs a recipe: training, scoring and sampling -> Result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from seqzoo.model.runtime import make_runtime
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.results.result import Result
from seqzoo.runs.build import build_chain, open_stream
from seqzoo.runs.directory import (
    RunDirectory,
    create_run_directory,
    open_run_directory,
)
from seqzoo.runs.experiment import Experiment, load_weights, new_experiment, restored_tokenizer
from seqzoo.runs.origin import write_origin
from seqzoo.runs.reopen import Trained, recorded_runtime, reopen_data, stored_recipe
from seqzoo.runs.samples import write_samples
from seqzoo.runs.score import score_run
from seqzoo.runs.start import load_start, warn_of_other_text
from seqzoo.runs.train import train_run
from seqzoo.scoring.static import require_lanes
from seqzoo.terminal.display import Display
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.loop import Training

__all__ = ["resume_run", "run_recipe"]


def run_recipe(
    recipe: Recipe,
    *,
    root: Path,
    name: str | None = None,
    device: str | None = None,
    display: Display,
) -> tuple[RunDirectory, Result]:
    """Train, evaluate and sample a recipe in a new directory under `root`.

    name: of the directory, which must not exist. None: the recipe's name, with a number if that
    exists. Raises Interrupted after a signal (the run is saved), and what the parts raise.
    """
    runtime = make_runtime(recipe.runtime, device=device)
    start = load_start(recipe, display=display)
    experiment = new_experiment(recipe, runtime=runtime, display=display, start=start)
    if start is not None:
        warn_of_other_text(start, experiment)
    splits = experiment.data.splits
    require_lanes(min(len(splits.validation), len(splits.test)), recipe.evaluate.lanes)
    training = _make_training(experiment)
    directory = create_run_directory(root, name or recipe.name, numbered=name is None)
    with directory.locked():
        write_origin(directory, experiment)
        return directory, _train_and_score(directory, experiment, training)


def resume_run(
    path: Path, registry: Registry, *, device: str | None = None, display: Display
) -> tuple[RunDirectory, Result]:
    """Continue a run from its newest complete checkpoint.

    The result is bit-for-bit the same as that of an uninterrupted run. Raises CheckpointError if
    there is no checkpoint, UsageError if the corpus has changed.
    """
    directory = open_run_directory(path)
    with directory.locked():
        checkpoints.clear_unfinished(directory.checkpoints)
        recipe = stored_recipe(directory, registry)
        checkpoint = checkpoints.load_newest(directory.checkpoints, warn=display.warn)
        experiment = Experiment(
            recipe,
            runtime=recorded_runtime(recipe, checkpoint.state["runtime"], device, display=display),
            display=display,
            tokenizer=restored_tokenizer(recipe, checkpoint),
            open_data=lambda: reopen_data(directory, recipe, display=display),
        )
        training = _make_training(experiment)
        training.restore(checkpoint)
        display.note(f"resuming {directory.path} from step {training.step}")
        logs = checkpoint.state["logs"]
        return directory, _train_and_score(directory, experiment, training, logs=logs)


def _make_training(experiment: Experiment) -> Training:
    recipe = experiment.recipe
    stream = open_stream(recipe, experiment.training.tokens)
    model = experiment.model
    # Before training, so that a mistake in the chain is reported now and not at the end.
    build_chain(recipe.sample.chain, recipe.registry, vocab_size=experiment.tokenizer.vocab_size)
    if recipe.runtime.compile:
        model.compile()
    return Training(
        model,
        stream,
        recipe.train,
        runtime=experiment.runtime,
        bytes_per_token=experiment.training.bytes_per_token,
        epoch_tokens=len(experiment.training),
    )


def _train_and_score(
    directory: RunDirectory,
    experiment: Experiment,
    training: Training,
    *,
    logs: Mapping[str, int] | None = None,
) -> Result:
    """Train to the end of the budget, score the best weights, and write result and samples."""
    train_run(directory, experiment, training, logs or {"metrics": 0, "timing": 0})
    folder = directory.checkpoints
    newest = checkpoints.load(folder, training.step)
    best = checkpoints.load_best(folder, newest, warn=experiment.display.warn)
    load_weights(training.model, best)
    training.model.eval()
    trained = Trained(
        directory, experiment, best.step, training.effort(), training.runtime.record()
    )
    result = score_run(trained)
    write_samples(experiment, directory.samples, step=best.step)
    return result
