"""Opens an existing run: its recipe, its corpus, and the model of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from seqzoo.data.corpus import Data, open_data
from seqzoo.errors import UsageError
from seqzoo.model.runtime import Runtime, make_runtime
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.paths import option_paths
from seqzoo.recipes.validation import dotted
from seqzoo.runs.changed_recipe import require_as_trained
from seqzoo.runs.directory import RunDirectory, open_run_directory
from seqzoo.runs.experiment import Experiment, restored_tokenizer
from seqzoo.runs.origin import read_origin, stored_recipe
from seqzoo.runs.own_checkpoints import load_best, load_newest, load_step
from seqzoo.terminal.display import Display
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.checkpoint_files import checkpoint_steps
from seqzoo.training.updates import Effort

__all__ = ["Trained", "load_trained", "recorded_runtime", "reopened_experiment"]


@dataclass(frozen=True)
class Trained:
    """A finished or stopped run: its experiment with the weights of one checkpoint.

    step: of the weights. effort: of the whole training.
    record: of the runtime that it was trained with, see `Runtime.record`.
    averaged: whether the weights are an average over updates.
    """

    directory: RunDirectory
    experiment: Experiment
    step: int
    effort: Effort
    record: Mapping[str, Any]
    averaged: bool = False

    @classmethod
    def up_to(
        cls,
        newest: Checkpoint,
        directory: RunDirectory,
        experiment: Experiment,
        *,
        weights: Checkpoint,
    ) -> Trained:
        """A run whose newest checkpoint says what its training took. weights: whose it has."""
        effort, record = Effort(**newest.state["spent"]), newest.state["runtime"]
        averaged = weights.state.get("averaged", False)
        return cls(directory, experiment, weights.step, effort, record, averaged=averaged)


def load_trained(
    path: Path,
    registry: Registry,
    *,
    device: str | None = None,
    step: int | None = None,
    display: Display,
) -> Trained:
    """The model of a run: of `step`, or the best on validation, or the newest."""
    directory = open_run_directory(path)
    recipe = stored_recipe(directory, registry)
    runtime = make_runtime(recipe.runtime, device=device)
    newest = load_newest(directory, warn=display.warn)
    require_as_trained(directory, recipe, newest.state)
    if step is None:
        weights = load_best(directory, newest, warn=display.warn)
    else:
        known = checkpoint_steps(directory.checkpoints)
        if step not in known:
            raise UsageError(
                f"{path} has no checkpoint of step {step}; it has {', '.join(map(str, known))}."
            )
        weights = load_step(directory, step)
    experiment = reopened_experiment(
        directory, recipe, runtime, display, tokenizer_of=weights, weights=weights
    )
    return Trained.up_to(newest, directory, experiment, weights=weights)


def reopened_experiment(
    directory: RunDirectory,
    recipe: Recipe,
    runtime: Runtime,
    display: Display,
    *,
    tokenizer_of: Checkpoint,
    weights: Checkpoint | None = None,
) -> Experiment:
    """The experiment of an existing run, with the tokenizer of a checkpoint; see `Experiment`."""
    return Experiment(
        recipe,
        runtime=runtime,
        display=display,
        tokenizer=restored_tokenizer(recipe, tokenizer_of),
        open_data=lambda: reopen_data(directory, recipe, display=display),
        weights=weights,
    )


def reopen_data(directory: RunDirectory, recipe: Recipe, *, display: Display) -> Data:
    """The data that a run was started on: its corpus or, if that was used, the fallback.

    Raises CorpusUnavailable if it is not there now, UsageError if the bytes have changed.
    """
    origin, fallback = read_origin(directory), recipe.corpus.fallback
    changed: dict[str, Any] = {"fallback": None}  # never the other text of the two
    if origin.fell_back and fallback is not None:
        changed |= {"name": fallback.name, "options": fallback.options}
    recipe = recipe.model_copy(update={"corpus": recipe.corpus.model_copy(update=changed)})
    try:
        data = open_data(recipe, announce=display.warn)
    except UsageError as error:
        raise UsageError(f"{error}{_to_name_its_place(directory, recipe)}") from error
    if data.sha256 != origin.sha256:
        raise UsageError(
            f"{directory.path} was trained on a corpus with sha256 {origin.sha256[:12]}…, and "
            f"'{data.corpus.name}' now has {data.sha256[:12]}…; restore the old bytes "
            f"({data.corpus.origin})."
        )
    return data


def _to_name_its_place(directory: RunDirectory, recipe: Recipe) -> str:
    """What to do if the text was moved; "" for a corpus without a path."""
    options = recipe.corpus.options
    plain = options.model_dump(mode="json") if isinstance(options, BaseModel) else {}
    for path in option_paths(plain, type(options)):
        return (
            f" If the text was moved, name its new place: {directory.to_continue} "
            f"corpus.options.{dotted(path)}=NEW_PATH"
        )
    return ""


def recorded_runtime(
    recipe: Recipe, recorded: Mapping[str, Any], device: str | None, *, display: Display
) -> Runtime:
    """The runtime of the run so far, as far as it is available; warns of every difference."""
    runtime = make_runtime(
        recipe.runtime,
        device=device or str(recorded["device"]),
        recorded_threads=int(recorded["threads"]),
    )
    # A run of an older seqzoo has no record of its kernels: they are not compared.
    here = {**runtime.record(), **({} if "kernels" in recorded else {"kernels": {}})}
    before, now = _in_words(recorded), _in_words(here)
    for name in {**before, **now}:
        was, is_now = before.get(name) or "none", now.get(name) or "none"
        if was != is_now:
            display.warn(
                f"the {name} was {was} and is {is_now}: the run continues, but its last bits may "
                f"differ from those of a run that was never stopped."
            )
    return runtime


_NAMES = {
    "device": "device",
    "accelerator": "accelerator",
    "cpu": "type of the CPU",
    "threads": "number of threads",
}


def _in_words(record: Mapping[str, Any]) -> dict[str, str]:
    """What decides the last bits, by its name in words; each package has its own version."""
    versions = record["versions"].items()
    return {
        **{name: str(record.get(key) or "") for key, name in _NAMES.items()},
        **{f"version of {package}": str(version) for package, version in versions},
        **{name: str(value) for name, value in record.get("kernels", {}).items()},
    }
