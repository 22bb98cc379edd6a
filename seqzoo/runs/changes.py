"""changes.json: settings of a run that changed when it was resumed.

recipe.yaml always has the current values. A change is written to changes.json first and to
recipe.yaml last: a change whose recipe.yaml is still the one before it did not happen, so that a
process can be killed at any moment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from seqzoo.errors import (
    CheckpointError,
    EnvironmentFault,
    Problem,
    RecipeError,
    require_known_format,
)
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.overrides import Overrides
from seqzoo.recipes.resolved import require_readable
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.results.result import ChangeRecord
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.origin import stored_recipe
from seqzoo.storage import is_full, write_whole
from seqzoo.terminal.format import quoted

__all__ = [
    "MAY_CHANGE",
    "Change",
    "Setting",
    "affects_samples",
    "affects_scores",
    "changed_fingerprint",
    "changed_recipe",
    "deciding_changes",
    "read_changes",
    "write_change",
]

_DECIDING = ("train.budget", "train.validation")
"""Settings that may change and that decide which weights a run ends with."""

MAY_CHANGE = (
    *_DECIDING,
    "description",
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

_NOT_IN_SCORES = ("description", "train.checkpoint", "train.log_every_steps", "sample", "trackers")
"""Settings that may change and leave the scores of a result as they are."""

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


class Setting(BaseModel):
    """A setting, with its values before and after a change; None where it had none."""

    model_config = ConfigDict(frozen=True)

    key: str = Field(description="dotted path in the recipe")
    before: Any = None
    after: Any = None

    @property
    def before_and_after(self) -> str:
        """Both values as a recipe writes them, e.g. "400 to 800"."""
        return f"{json.dumps(self.before)} to {json.dumps(self.after)}"


class Change(BaseModel):
    """Settings that changed together.

    step: how many updates the run had made. recipe_sha256: of recipe.yaml before the change.
    """

    model_config = ConfigDict(frozen=True)

    step: int = Field(ge=0)
    at: AwareDatetime
    recipe_sha256: str
    settings: tuple[Setting, ...]


def changed_recipe(
    directory: RunDirectory, registry: Registry, overrides: Overrides
) -> tuple[Recipe, tuple[Setting, ...]]:
    """The recipe of a run with overrides, and the settings that differ from the stored recipe.

    Nothing is written. Raises RecipeError with all mistakes, and with every setting that cannot
    change in a run.
    """
    stored = stored_recipe(directory, registry)
    if not overrides:
        return stored, ()
    try:
        recipe = stored_recipe(directory, registry, overrides=overrides)
    except RecipeError as error:
        raise RecipeError(
            _problems_of_each(directory, stored, overrides) or error.problems
        ) from None
    require_readable(recipe)
    settings = _differences(stored, recipe)
    if refused := _refusals(settings, directory):
        raise RecipeError(refused)
    return recipe, settings


def affects_scores(settings: Iterable[Setting]) -> bool:
    """Whether a result from before these settings changed must be made again."""
    return any(not _is_within(setting.key, _NOT_IN_SCORES) for setting in settings)


def affects_samples(settings: Iterable[Setting]) -> bool:
    """Whether the last samples from before these settings changed must be written again."""
    return any(
        _is_within(setting.key, ("sample",)) and setting.key != "sample.every_steps"
        for setting in settings
    )


def write_change(
    directory: RunDirectory, recipe: Recipe, settings: Sequence[Setting], *, step: int
) -> None:
    """Store a changed recipe, and what changed at `step`. Nothing is written without a change."""
    if not settings:
        return
    change = Change(
        step=step,
        at=datetime.now(UTC),
        recipe_sha256=_sha256(directory.recipe),
        settings=tuple(settings),
    )
    changes = [each.model_dump(mode="json") for each in (*read_changes(directory), change)]
    try:
        write_whole(directory.changes, json.dumps({"changes": changes}, indent=1) + "\n")
        write_whole(directory.recipe, recipe.to_yaml())
    except OSError as error:
        room = "; make room and run the command again" if is_full(error) else ""
        raise EnvironmentFault(
            f"the settings of {directory.path} could not be changed: {error.strerror}{room}."
        ) from error


def read_changes(directory: RunDirectory) -> tuple[Change, ...]:
    """The changes of a run, oldest first.

    Raises CheckpointError if the file is damaged, NewerFormatError if it is of a newer seqzoo.
    """
    try:
        stored = json.loads(directory.changes.read_text(encoding="utf-8"))
        require_known_format(stored, directory.changes)
        changes = tuple(Change.model_validate(each) for each in stored["changes"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise CheckpointError(
            f"{directory.changes} is damaged, and without it the settings that the run was trained "
            f"with before are unknown; restore it from a copy."
        ) from error
    if changes and changes[-1].recipe_sha256 == _sha256(directory.recipe):
        return changes[:-1]  # the process was killed before it replaced recipe.yaml
    return changes


def deciding_changes(directory: RunDirectory) -> tuple[ChangeRecord, ...]:
    """The changes that decide which weights the run ends with, for its result.

    A change before the first update is not one of them: the run is as if started with it.
    """
    return tuple(
        ChangeRecord(step=change.step, **setting.model_dump())
        for change in read_changes(directory)
        for setting in change.settings
        if change.step > 0 and _is_within(setting.key, _DECIDING)
    )


def changed_fingerprint(fingerprint: str, changes: Sequence[ChangeRecord]) -> str:
    """The fingerprint of a recipe whose settings changed during training.

    It differs from that of a run that had the last values from the start, and is equal for runs
    with the same changes at the same steps.
    """
    if not changes:
        return fingerprint
    listed = [change.model_dump(mode="json") for change in changes]
    return hashlib.sha256(json.dumps([fingerprint, listed], sort_keys=True).encode()).hexdigest()


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
        if not _is_within(key, MAY_CHANGE)
    ]


def _reason(key: str) -> str:
    prefixes = [prefix for prefix in _REASONS if _is_within(key, (prefix,))]
    return _REASONS[max(prefixes, key=len, default="")]


def _is_within(key: str, prefixes: Iterable[str]) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
