"""Repeats the training of a card; a run that was begun before is continued, not trained twice."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seqzoo.cards.card import Card, read_card
from seqzoo.cards.environment import Other, differing
from seqzoo.cards.needs import require_corpus, require_files
from seqzoo.cards.outcome import Outcome, outcome
from seqzoo.cards.recipe import recipe_to_train, why_not_as_scored
from seqzoo.data.corpus import Data
from seqzoo.errors import UsageError
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.own_text import Texts
from seqzoo.results.result import Result, read_result
from seqzoo.runs.api import resume
from seqzoo.runs.directory import RunDirectory, open_run_directory, require_free
from seqzoo.runs.origin import read_origin, stored_recipe
from seqzoo.runs.prepare import prepare
from seqzoo.runs.status import RunState, newest_state, status_of
from seqzoo.terminal.display import Display
from seqzoo.training.checkpoint_files import checkpoint_steps

__all__ = ["Repetition", "reproduce"]

_LONGEST_NAME = 70
"""Characters of the recipe's name in that of the run, which has at most 100."""


@dataclass(frozen=True)
class Repetition:
    """What came out of a card. runs: the folders that were trained.

    others: what differs in the environment of the first of them.
    """

    card: Card
    outcome: Outcome
    runs: tuple[Path, ...]
    others: tuple[Other, ...]


def reproduce(
    path: Path,
    registry: Registry,
    *,
    root: Path,
    name: str | None = None,
    text: Texts | None = None,
    seeds: int = 1,
    device: str | None = None,
    display: Display,
) -> Repetition:
    """Train the recipe of a card again, and compare.

    path: of the card, or of the folder of a run that has one.
    name: of the run's folder; None: the recipe's with the first digits of the hash of the weights.
    text: in place of the text of the card, with the same bytes. seeds: how many trainings; the
    first has the seed of the card, and the others are made only if its weights are not the same.
    device: None for that of the card.
    Raises UsageError for a card that cannot be used, for other bytes or files than it is about, and
    if there is another run of this name; and what a run raises.
    """
    path = path / "card.json" if path.is_dir() else path
    card = read_card(path)
    require_files(card, path)
    changed = why_not_as_scored(card, path, registry)
    if changed:
        display.warn(f"{changed}, so a training of it is expected to give other scores.")
    runs: list[RunDirectory] = []
    results: list[Result] = []
    for seed in itertools.islice(_seeds(card), seeds):
        recipe = recipe_to_train(card, path, registry, seed=seed, device=device, text=text)
        folder = root / _name(card, recipe, name, None if not runs else seed)
        recipe, data = prepare(recipe, root=root, name=None, display=display)
        require_corpus(card, data)
        runs.append(RunDirectory(folder))
        results.append(_repeated(card, path, runs[-1], recipe, data, display))
        if results[0].weights_sha256 == card.result.weights_sha256:
            break
    others = differing(card, recipe, newest_state(runs[0])["runtime"])
    paths = tuple(run.path for run in runs)
    return Repetition(card, outcome(card, results, changed=changed), paths, tuple(others))


def _seeds(card: Card) -> Iterator[int]:
    """The card's, then those that the card has no score of."""
    known = {card.result.seed, *(each.seed for each in card.seeds)}
    yield card.result.seed
    yield from (seed for seed in itertools.count(1) if seed not in known)


def _name(card: Card, recipe: Recipe, name: str | None, further_seed: int | None) -> str:
    first = name or f"{recipe.name[:_LONGEST_NAME]}-card-{card.result.weights_sha256[:8]}"
    return first if further_seed is None else f"{first}-seed-{further_seed}"


def _repeated(
    card: Card, path: Path, directory: RunDirectory, recipe: Recipe, data: Data, display: Display
) -> Result:
    """The result of the run that repeats a training: a new one, or one that was begun before."""
    if os.path.lexists(directory.path):
        _require_begun_before(path, directory, recipe, data)
        if status_of(directory).state is RunState.FINISHED:
            display.note(f"{directory.path} has repeated this training before; it is compared")
        else:
            resume(directory.path, registry=recipe.registry, show_progress=not display.is_silent)
        return read_result(directory.result)
    display.note(f"{recipe.name}: {recipe.architecture.name} on {data.corpus.name}; loading torch")
    from seqzoo.model.runtime import make_runtime
    from seqzoo.runs.runner import run_recipe

    for other in differing(card, recipe, make_runtime(recipe.runtime).record()):
        display.warn(f"{other}; the last bits may differ.")
    if card.budget_by_clock:
        display.warn(
            f"the card was trained by the clock, for {card.recipe['train']['budget']['seconds']:g} "
            f"seconds, so the same bits cannot be expected; this run makes the same "
            f"{card.result.steps:,} updates."
        )
    _, result = run_recipe(
        recipe, root=directory.path.parent, name=directory.path.name, data=data, display=display
    )
    assert result is not None  # it is asked to score
    return result


def _require_begun_before(path: Path, directory: RunDirectory, recipe: Recipe, data: Data) -> None:
    """Raises UsageError unless there is a run of this training that can be used or continued."""
    open_run_directory(directory.path)
    if not checkpoint_steps(directory.checkpoints):
        require_free(directory.path)
    is_same = (
        stored_recipe(directory, recipe.registry) == recipe
        and read_origin(directory).sha256 == data.sha256
    )
    if not is_same:
        raise UsageError(
            f"{directory.path} is another run than that of {path}; runs are never overwritten: "
            f"choose another name with --name."
        )
