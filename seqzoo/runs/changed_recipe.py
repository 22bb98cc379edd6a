"""Which settings of a run may change when it continues, and what they were when it was trained.

A checkpoint has the recipe that it was trained with. What recipe.yaml says otherwise was changed by
hand, or is damaged: it is treated like a change on the command line, and noticed by every command
that uses the weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seqzoo.errors import Problem, RecipeError, UsageError
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.overrides import Overrides
from seqzoo.recipes.resolved import require_readable
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.recipes.yaml_scalars import dump_yaml
from seqzoo.runs.changes import DECIDING, Setting, is_within, read_changes
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.origin import (
    read_origin,
    recipe_content,
    require_same_origin,
    stored_recipe,
)
from seqzoo.terminal.format import quoted

__all__ = [
    "MAY_CHANGE",
    "changed_recipe",
    "edited_settings",
    "require_as_trained",
    "trained_recipe",
]

MAY_CHANGE = (
    *DECIDING,
    "description",
    "plugins",  # a file may be moved; it runs only if the user trusts it
    "corpus.options",  # the bytes are compared with those of the start
    "train.checkpoint",
    "train.log_every_steps",
    "evaluate",
    "baselines",
    "sample",
    "trackers",
    "runtime.device",
    "runtime.threads",
    "runtime.compile",
)
"""Settings that do not change what has been trained; all others are refused."""

_START_FROM = "start a new run from the weights of this one with train.start_from={run}"
_REASONS = {
    "name": "a run is called like its folder; to rename it, in a shell: seqzoo runs mv {run} NAME",
    "architecture": "the weights are those of the old one; start a new run with it",
    "tokenizer": "the weights are for the tokens of the old one; start a new run with it",
    "corpus": f"the run was trained on the old text; {_START_FROM}",
    "train.start_from": "training has started already; start a new run with it",
    "train": f"the updates so far were made with the old value; {_START_FROM}",
    "runtime.precision": f"the updates so far were made with the old value; {_START_FROM}",
    "": "the run was started with the old value; start a new run with it",
}


def trained_recipe(
    directory: RunDirectory, registry: Registry, state: Mapping[str, Any]
) -> Recipe | None:
    """The recipe that a checkpoint was trained with, and with the changes that are recorded since.

    state: its state.json. None where recipe.yaml says the same, or where the state does not say it.
    """
    if not (text := state.get("recipe")):
        return None
    expected, _ = load_yaml(text, "the recipe in state.json")
    found, _ = load_yaml(recipe_content(directory), str(directory.recipe))
    for change in read_changes(directory):
        if change.step >= state["step"]:
            for setting in change.settings:
                _set(expected, found, setting.key.split("."), setting.after)
    if expected == found:
        return None
    return stored_recipe(directory, registry, content=dump_yaml(expected))


def require_as_trained(directory: RunDirectory, recipe: Recipe, state: Mapping[str, Any]) -> None:
    """Raises RecipeError if recipe.yaml has other settings than the weights were trained with.

    recipe: what it says. Settings that may change in a run are not compared.
    """
    require_same_origin(directory, state)
    if refused := _edited(directory, edited_settings(directory, recipe, state)):
        raise RecipeError(refused)


def edited_settings(
    directory: RunDirectory, recipe: Recipe, state: Mapping[str, Any]
) -> tuple[Setting, ...]:
    """What recipe.yaml says otherwise than a checkpoint and the recorded changes since."""
    trained = trained_recipe(directory, recipe.registry, state)
    return () if trained is None else _differences(trained, recipe)


def changed_recipe(
    directory: RunDirectory,
    registry: Registry,
    overrides: Overrides,
    *,
    state: Mapping[str, Any],
) -> tuple[Recipe, tuple[Setting, ...]]:
    """The recipe of a run with overrides, and the settings that differ from before.

    state: state.json of the checkpoint that the run continues from. Nothing is written. Raises
    RecipeError with all mistakes, and with every setting that cannot change in a run.
    """
    require_same_origin(directory, state)
    stored = stored_recipe(directory, registry)
    trained = trained_recipe(directory, registry, state) or stored
    if not overrides and trained is stored:
        return stored, ()
    try:
        recipe = stored_recipe(directory, registry, overrides=overrides) if overrides else stored
    except RecipeError as error:
        raise RecipeError(
            _problems_of_each(directory, stored, overrides) or error.problems
        ) from None
    require_readable(recipe)
    settings = _differences(trained, recipe)
    _require_trained(directory, settings)
    by_hand = [each for each in _differences(trained, stored) if each in settings]
    refused = _edited(directory, by_hand)
    refused += _refusals((each for each in settings if each not in by_hand), directory)
    if refused:
        raise RecipeError(refused)
    return recipe, settings


def _require_trained(directory: RunDirectory, settings: Iterable[Setting]) -> None:
    """Raises UsageError where settings of training change in an ensemble."""
    members = read_origin(directory).members
    if members and any(is_within(setting.key, ("train",)) for setting in settings):
        raise UsageError(
            f"{directory.path} is an ensemble of {', '.join(each.run for each in members)}, and an "
            f"ensemble is not trained further; train its members longer, and make a new one."
        )


def _differences(before: Recipe, after: Recipe) -> tuple[Setting, ...]:
    """The settings that differ, in the order of the recipe; a list is one setting."""
    return tuple(_differing(*(load_yaml(recipe.to_yaml(), "")[0] for recipe in (before, after))))


def _differing(before: Any, after: Any, path: str = "") -> Iterator[Setting]:
    if not (isinstance(before, dict) and isinstance(after, dict)):
        if before != after:
            yield Setting(key=path, before=before, after=after)
        return
    for key in dict.fromkeys([*before, *after]):
        inner = f"{path}.{key}" if path else str(key)
        yield from _differing(before.get(key), after.get(key), inner)


def _problems_of_each(
    directory: RunDirectory, stored: Recipe, overrides: Overrides
) -> list[Problem]:
    """What is wrong with each override by itself."""
    problems: list[Problem] = []
    for override in overrides:
        one = {override: overrides[override]} if isinstance(overrides, Mapping) else [override]
        key = override.partition("=")[0].strip()
        try:
            changed = stored_recipe(directory, stored.registry, overrides=one)
            problems += _refusals(_differences(stored, changed), directory)
        except RecipeError as error:
            # A setting that cannot change in any case may also have a value that does not fit.
            refused = _refusals([Setting(key=key)], directory) if _has(stored, key) else []
            problems += refused or error.problems
    return problems


def _has(recipe: Recipe, key: str) -> bool:
    data, _ = load_yaml(recipe.to_yaml(), "")
    for part in key.split("."):
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True


def _refusals(settings: Iterable[Setting], directory: RunDirectory) -> list[Problem]:
    run = quoted(directory.path.resolve())
    return [
        Problem(key, 0, 0, f"{key} cannot change in a run: {_reason(key).format(run=run)}.")
        for key in (setting.key for setting in settings)
        if not is_within(key, MAY_CHANGE)
    ]


def _edited(directory: RunDirectory, settings: Iterable[Setting]) -> list[Problem]:
    """What is wrong with settings that recipe.yaml has in place of those of the training."""
    run = quoted(directory.path.resolve())
    _, marks = load_yaml(recipe_content(directory), str(directory.recipe))
    return [
        marks.value(tuple(each.key.split("."))).problem(
            f"{each.key} is {json.dumps(each.after)}, and the run was trained with "
            f"{json.dumps(each.before)}; set it back. It cannot change in a run: "
            f"{_reason(each.key).format(run=run)}."
        )
        for each in settings
        if not is_within(each.key, MAY_CHANGE)
    ]


def _set(data: Any, found: Any, path: list[str], value: Any) -> None:
    """Set a value in nested mappings; None removes it, where `found` has no such key."""
    for part in path[:-1]:
        if not isinstance(data.get(part), dict):
            data[part] = {}
        data, found = data[part], found.get(part) if isinstance(found, dict) else None
    if value is None and not (isinstance(found, dict) and path[-1] in found):
        data.pop(path[-1], None)
    else:
        data[path[-1]] = value


def _reason(key: str) -> str:
    prefixes = [prefix for prefix in _REASONS if is_within(key, (prefix,))]
    return _REASONS[max(prefixes, key=len, default="")]
