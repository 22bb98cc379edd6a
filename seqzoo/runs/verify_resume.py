"""Trains a recipe k + m updates, and again k updates, a stop, and m more; compares all the bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import Tensor, equal

from seqzoo.recipes.load import Recipe
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.origin import read_origin
from seqzoo.runs.reopen import reopen_data
from seqzoo.runs.run import Run
from seqzoo.runs.runner import make_training
from seqzoo.runs.verdict import Broken, Skipped
from seqzoo.terminal.display import Display
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.updates import Training

__all__ = ["verify_resume"]

_PARTS = {
    "weights": "model",
    "optimizer": "optimizer",
    "carried state": "carried",
    "averaged weights": "average",
    "random generators": "generators",
}

_OF_THE_CLOCK = ("spent", "runtime")


def verify_resume(run: Run, *, before: int, after: int) -> str:
    """What is equal; the run itself is not changed.

    before, after: updates before the stop and after it. Raises Broken with what differs.
    """
    if read_origin(RunDirectory(run.path)).members:
        raise Skipped("an ensemble is not trained.")
    recipe = _with_budget(run.recipe, before + after)
    whole = _training(run, recipe)
    losses = [whole.update().loss_nats for _ in range(before + after)]
    with TemporaryDirectory() as folder:
        stopped = _training(run, recipe)
        again = [stopped.update().loss_nats for _ in range(before)]
        if again != losses[:before]:
            step = _first_difference(losses, again)
            raise Broken(
                f"two trainings of one seed have other losses at update {step}, before any stop: "
                f"something is random that the seed does not set."
            )
        checkpoints.save(Path(folder), stopped.checkpoint(_extra(run)), keep=1, best=None)
        resumed = _training(run, recipe)
        resumed.restore(checkpoints.load(Path(folder), before))
        again += [resumed.update().loss_nats for _ in range(after)]
    differing = list(_differing(whole.checkpoint(_extra(run)), resumed.checkpoint(_extra(run))))
    if again != losses:
        differing.insert(0, f"the loss of update {_first_difference(losses, again)}")
    if differing:
        raise Broken(
            f"{before + after} updates differ from {before}, a stop and {after} more in: "
            f"{', '.join(differing[:4])}."
        )
    return (
        f"{before + after} updates, and {before}, a stop and {after} more, have the same bits in "
        f"weights, optimizer, carried state, generators and losses."
    )


def _with_budget(recipe: Recipe, steps: int) -> Recipe:
    budget = recipe.train.budget.model_copy(
        update={"steps": steps, "bytes": None, "epochs": None, "seconds": None}
    )
    section = recipe.train.model_copy(update={"budget": budget, "start_from": None})
    return recipe.model_copy(update={"train": section})


def _training(run: Run, recipe: Recipe) -> Training:
    """A new training of a recipe, on the text of the run, with the tokenizer that it learnt."""
    trained = run.trained.experiment
    return make_training(
        Experiment(
            recipe,
            runtime=trained.runtime,
            display=Display(),
            tokenizer=trained.tokenizer,
            open_data=lambda: reopen_data(RunDirectory(run.path), recipe, display=Display()),
        )
    )


def _extra(run: Run) -> Mapping[str, Any]:
    """What a run adds to the state of a training."""
    tokenizer = run.tokenizer.state()
    return {"tokenizer": tokenizer, "logs": {"metrics": 0, "timing": 0}, "epochs": None}


def _differing(whole: Checkpoint, resumed: Checkpoint) -> Iterator[str]:
    for words, part in _PARTS.items():
        one, other = getattr(whole, part), getattr(resumed, part)
        names = [name for name in {**one, **other} if not _is_equal(one.get(name), other.get(name))]
        if names:
            yield f"{words} ({names[0]}{f' and {len(names) - 1} more' if names[1:] else ''})"
    for key in whole.state.keys() - set(_OF_THE_CLOCK):
        if whole.state[key] != resumed.state[key]:
            yield f"the {key}"


def _is_equal(one: Tensor | None, other: Tensor | None) -> bool:
    return one is not None and other is not None and equal(one, other)


def _first_difference(losses: list[float], again: list[float]) -> int:
    pairs = zip(losses, again, strict=False)
    return next(number for number, (one, other) in enumerate(pairs, start=1) if one != other)
