"""Runs a recipe: training, scoring and sampling -> Result."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from seqzoo import torchrun
from seqzoo.data.corpus import Data
from seqzoo.model.compiling import compiler_faults
from seqzoo.model.runtime import make_runtime
from seqzoo.recipes.load import Recipe
from seqzoo.results.result import Result
from seqzoo.runs.build import new_training
from seqzoo.runs.directory import RunDirectory, create_run_directory
from seqzoo.runs.disk import room_for
from seqzoo.runs.experiment import Experiment, load_weights, new_experiment
from seqzoo.runs.follow import leading
from seqzoo.runs.interruption import Interrupted, stopping
from seqzoo.runs.memory import enough_memory_in
from seqzoo.runs.origin import write_origin
from seqzoo.runs.own_checkpoints import load_best, load_step
from seqzoo.runs.processes import require_devices
from seqzoo.runs.reopen import Trained
from seqzoo.runs.score import finish_run
from seqzoo.runs.start import load_start, warn_of_other_text
from seqzoo.runs.status import divergence_recorded
from seqzoo.runs.tracking import Trackers
from seqzoo.runs.train import train_run
from seqzoo.scoring.static import require_lanes
from seqzoo.terminal.display import Display
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.rank_store import NotConnected
from seqzoo.training.ranks import require_rows_for_all
from seqzoo.training.updates import Training

__all__ = [
    "make_training",
    "removed_without_checkpoint",
    "run_recipe",
    "score_and_sample",
    "train_and_score",
]


@stopping("Stopped before training; nothing is saved.")
def run_recipe(
    recipe: Recipe,
    *,
    root: Path,
    name: str | None = None,
    device: str | None = None,
    data: Data | None = None,
    display: Display,
    score: bool = True,
) -> tuple[RunDirectory, Result | None]:
    """Train, evaluate and sample a recipe in a new directory under `root`.

    name: of the directory, which must not exist. None: the recipe's name, with a number if that
    exists. data: of the recipe, if it is open already. score: without it, the run is only trained
    and has no result.
    Raises Interrupted after a signal (the run is saved), and what the parts raise.
    """
    require_rows_for_all(recipe.train.batch_size, torchrun.here())
    runtime = make_runtime(recipe.runtime, device=device)
    require_devices(runtime.device)
    start = load_start(recipe, display=display)
    experiment = new_experiment(recipe, runtime=runtime, display=display, start=start, data=data)
    if start is not None:
        warn_of_other_text(start, experiment)
    splits = experiment.data.splits
    require_lanes(min(len(splits.validation), len(splits.test)), recipe.evaluate.lanes)
    training = make_training(experiment)
    directory = create_run_directory(root, name or recipe.name, numbered=name is None)
    with (
        removed_without_checkpoint(directory),
        directory.locked(),
        room_for(directory, is_new=True),
    ):
        write_origin(directory, experiment)
        return directory, train_and_score(directory, experiment, training, score=score)


@contextmanager
def removed_without_checkpoint(directory: RunDirectory) -> Iterator[None]:
    """Remove the new folder if the run is stopped in it before its first checkpoint.

    Nothing is saved then, and the same command must be able to make the folder.
    """
    try:
        yield
    except (Interrupted, KeyboardInterrupt, NotConnected) as error:
        if checkpoints.checkpoint_steps(directory.checkpoints):
            raise
        shutil.rmtree(directory.path, ignore_errors=True)
        if isinstance(error, NotConnected):
            raise
        raise KeyboardInterrupt from None


def make_training(experiment: Experiment) -> Training:
    """The training of an experiment, at its first step."""
    recipe = experiment.recipe
    training = experiment.training
    # Before training, so that a mistake in the chain is reported now and not at the end.
    if recipe.sample.decoder is not None:
        experiment.decoder(recipe.sample.decoder)
    experiment.chain(recipe.sample.chain)
    if recipe.runtime.compile:
        experiment.display.note("the first update compiles the model, which takes a minute or more")
    return new_training(
        recipe,
        experiment.model,
        experiment.runtime,
        tokens=training.tokens,
        documents=training.documents,
        bytes_per_token=training.bytes_per_token,
    )


def train_and_score(
    directory: RunDirectory,
    experiment: Experiment,
    training: Training,
    *,
    logs: Mapping[str, int] | None = None,
    score: bool = True,
) -> Result | None:
    """Train to the end of the budget, score the best weights, and write result and samples.

    score: without it, the run is only trained; None is returned.
    """
    again = directory.to_continue
    with Trackers(directory, experiment.recipe, display=experiment.display) as trackers:
        with (
            stopping("Stopped at once; the last checkpoint is saved. Continue with", command=again),
            divergence_recorded(directory),
            compiler_faults(),
        ):
            lengths = logs or {"metrics": 0, "timing": 0}
            is_new = not checkpoints.checkpoint_steps(directory.checkpoints)
            with leading(experiment, training, is_saved_first=is_new, again=again):
                train_run(directory, experiment, training, lengths, trackers, is_scored=score)
        if not score:
            return None
        newest = load_step(directory, training.step)
        best = load_best(directory, newest, warn=experiment.display.warn)
        load_weights(training.model, best, experiment.recipe)
        training.model.eval()
        trackers.result = score_and_sample(
            Trained.up_to(newest, directory, experiment, weights=best)
        )
        return trackers.result


def score_and_sample(trained: Trained) -> Result:
    """Write result and samples of the weights of a finished training."""
    again = trained.directory.to_continue
    runtime = trained.experiment.runtime
    with (
        stopping("Stopped. Training is finished and saved; score it with", command=again),
        enough_memory_in(trained.directory, "scoring", runtime, dict),
    ):
        trained.directory.require_in_place()
        return finish_run(trained)
