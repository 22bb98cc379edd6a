"""Continues a run: trains to the end of its budget, which may be a new one, or only scores it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqzoo.errors import UsageError
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.overrides import Overrides
from seqzoo.recipes.sections import BudgetSection, TrainSection
from seqzoo.results.result import Result
from seqzoo.runs.changed_recipe import changed_recipe
from seqzoo.runs.changes import Setting, affects_scores, read_changes, write_change
from seqzoo.runs.directory import RunDirectory, open_run_directory
from seqzoo.runs.disk import room_for
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.origin import stored_recipe
from seqzoo.runs.own_checkpoints import load_best, load_newest
from seqzoo.runs.probe import require_same_answers
from seqzoo.runs.processes import require_devices, require_same_ranks
from seqzoo.runs.reopen import Trained, recorded_runtime, reopened_experiment
from seqzoo.runs.runner import make_training, score_and_sample, train_and_score
from seqzoo.runs.samples import write_samples
from seqzoo.runs.status import budget_share, current_result, has_samples
from seqzoo.runs.tracking import Trackers
from seqzoo.terminal.display import Display
from seqzoo.terminal.format import quoted
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.updates import Training

__all__ = ["resume_run"]


def resume_run(
    path: Path,
    registry: Registry,
    overrides: Overrides = (),
    *,
    device: str | None = None,
    display: Display,
) -> tuple[RunDirectory, Result]:
    """Continue a run from its newest complete checkpoint, with overrides of its recipe.

    Without overrides the result is bit-for-bit the same as that of an uninterrupted run. Where the
    budget is spent, the run is only scored and sampled. Raises CheckpointError if there is no
    checkpoint, UsageError if the corpus has changed, RecipeError for overrides that cannot be used.
    """
    directory = open_run_directory(path)
    with directory.locked(), room_for(directory):
        checkpoints.clear_unfinished(directory.checkpoints)
        newest = load_newest(directory, warn=display.warn)
        recipe, settings = changed_recipe(directory, registry, overrides, state=newest.state)
        if directory.diverged.exists():
            display.warn(
                f"{directory.path} has diverged, and will again at the same step unless its "
                f"settings change."
            )
        share = budget_share(recipe.train.budget, newest.state)
        if any(setting.key.startswith("train.budget") for setting in settings):
            before = stored_recipe(directory, registry).train.budget
            _require_larger_budget(directory, before, recipe.train.budget, newest.state)
        chosen = device or _changed_device(directory, settings, since=newest.step)
        runtime = recorded_runtime(recipe, newest.state["runtime"], chosen, display=display)
        if any(setting.key == "runtime.compile" for setting in settings):
            display.warn("runtime.compile has changed: the last bits of the result may differ.")
        if share is not None and share >= 1:
            return directory, _only_score(directory, recipe, settings, newest, runtime, display)
        require_same_ranks(directory, newest.state["runtime"])
        require_devices(runtime.device)
        return directory, _train(directory, recipe, settings, newest, runtime, display)


def _train(
    directory: RunDirectory,
    recipe: Recipe,
    settings: Sequence[Setting],
    newest: Checkpoint,
    runtime: Runtime,
    display: Display,
) -> Result:
    if not newest.is_complete:
        raise UsageError(
            f"{directory.path} was pruned: only its weights are left, so its training cannot "
            f"continue; start a new run from them with "
            f"train.start_from={quoted(directory.path.resolve())}."
        )
    before = stored_recipe(directory, recipe.registry).train
    experiment = reopened_experiment(directory, recipe, runtime, display, tokenizer_of=newest)
    training = make_training(experiment)
    training.restore(newest)
    with training.weights_in_use():
        require_same_answers(training.model, newest, recipe)
    _store_change(directory, recipe, settings, step=newest.step, display=display)
    if recipe.train.budget != before.budget:
        display.note(_learning_rate_now(training, before))
    display.note(f"resuming {directory.path} from step {training.step}")
    result = train_and_score(directory, experiment, training, logs=newest.state["logs"])
    assert result is not None  # it is asked to score
    return result


def _only_score(
    directory: RunDirectory,
    recipe: Recipe,
    settings: Sequence[Setting],
    newest: Checkpoint,
    runtime: Runtime,
    display: Display,
) -> Result:
    best = load_best(directory, newest, warn=display.warn)
    experiment = reopened_experiment(
        directory, recipe, runtime, display, tokenizer_of=best, weights=best
    )
    is_old = affects_scores(settings)
    result = None if is_old else current_result(directory, step=newest.step)
    if result is None:
        _ = experiment.data  # a corpus that was not trained on is an error: nothing is stored
    _store_change(directory, recipe, settings, step=newest.step, display=display)
    with Trackers(directory, recipe, display=display) as trackers:
        trackers.start(newest.step)
        trackers.result = _scored(directory, experiment, newest, best, result)
        return trackers.result


def _scored(
    directory: RunDirectory,
    experiment: Experiment,
    newest: Checkpoint,
    best: Checkpoint,
    result: Result | None,
) -> Result:
    """The result of a finished training, whose scores and samples are made where they are missing.

    result: what result.json has, if it need not be scored again.
    """
    display = experiment.display
    finished = f"the training of {directory.path} is finished (step {newest.step})"
    if result is not None:
        if not has_samples(directory, experiment.recipe.sample, step=best.step):
            display.note(f"{finished} and scored; writing its samples")
            write_samples(experiment, directory, step=best.step)
        return result
    display.note(f"{finished}; scoring it")
    return score_and_sample(Trained.up_to(newest, directory, experiment, weights=best))


def _store_change(
    directory: RunDirectory,
    recipe: Recipe,
    settings: Sequence[Setting],
    *,
    step: int,
    display: Display,
) -> None:
    """Write the changed recipe and the record of the change, and say what changes."""
    write_change(directory, recipe, settings, step=step)
    for setting in settings:
        display.note(f"{setting.key} changes from {setting.before_and_after}")


def _require_larger_budget(
    directory: RunDirectory, before: BudgetSection, budget: BudgetSection, state: Mapping[str, Any]
) -> None:
    """Raises UsageError if more than a limit is spent, or if a finished run stays finished.

    A stopped run may end exactly where it is.
    """
    spent = {"epochs": state.get("epochs", 0), **state["spent"]}
    limits = budget.model_dump(exclude_none=True).items()
    if used_up := [f"{unit}={limit}" for unit, limit in limits if spent[unit] > limit]:
        raise UsageError(
            f"train.budget.{used_up[0]} is less than what the run has trained: {spent['steps']} "
            f"steps, {spent['bytes']:,} bytes, {spent['epochs']:.3g} epochs, "
            f"{spent['seconds']:.0f} seconds; give a larger budget, or null for no such limit."
        )
    if all((budget_share(each, state) or 0) >= 1 for each in (before, budget)):
        unit, limit = next((unit, limit) for unit, limit in limits if spent[unit] >= limit)
        raise UsageError(
            f"{directory.path} has trained all of train.budget.{unit}={limit}, and training ends "
            f"with the first limit that is reached; give a larger one, such as "
            f"train.budget.{unit}={2 * limit}, or train.budget.{unit}=null with a limit of another "
            f"unit that is not reached yet."
        )


def _changed_device(
    directory: RunDirectory, settings: Sequence[Setting], *, since: int
) -> str | None:
    """The device that was chosen after the checkpoint of step `since`; None if none was."""
    later = [
        each
        for change in read_changes(directory)
        if change.step >= since
        for each in change.settings
    ]
    chosen = [each.after for each in (*later, *settings) if each.key == "runtime.device"]
    return chosen[-1] if chosen else None


def _learning_rate_now(training: Training, before: TrainSection) -> str:
    """A sentence about the learning rate, which follows the share of the new budget."""
    section, now = training.section, training.learning_rate
    training.section = before
    old = training.learning_rate
    training.section = section
    # Budgets of another unit do not say how many updates there will be.
    last = section.budget.steps or training.step
    final = section.optimizer.options.learning_rate * training.schedule.factor(last, 1.0)
    return (
        f"the learning rate was {old:.3g} at this step, is {now:.3g} now, and will be {final:.3g} "
        f"at the end of the new budget"
    )
