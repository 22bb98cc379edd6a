"""changes.json: settings of a run that changed when it was resumed.

recipe.yaml always has the current values. A change is written to changes.json first and to
recipe.yaml last: a change whose recipe.yaml is still the one before it did not happen, so that a
process can be killed at any moment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from seqzoo.errors import (
    CheckpointError,
    EnvironmentFault,
    require_known_format,
)
from seqzoo.recipes.load import Recipe
from seqzoo.regular_files import read_json
from seqzoo.results.result import ChangeRecord
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.origin import recipe_content
from seqzoo.storage import is_full, write_whole

__all__ = [
    "DECIDING",
    "Change",
    "Setting",
    "affects_samples",
    "affects_scores",
    "changed_fingerprint",
    "deciding_changes",
    "is_within",
    "read_changes",
    "write_change",
]

DECIDING = ("train.budget", "train.validation")
"""Settings that may change and that decide which weights a run ends with."""

_NOT_IN_SCORES = ("description", "train.checkpoint", "train.log_every_steps", "sample", "trackers")
"""Settings that may change and leave the scores of a result as they are."""


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

    step: how many updates the run had made. recipe_sha256: of recipe.yaml before the change; "" if
    the change was made in recipe.yaml itself.
    """

    model_config = ConfigDict(frozen=True)

    step: int = Field(ge=0)
    at: AwareDatetime
    recipe_sha256: str
    settings: tuple[Setting, ...]


def affects_scores(settings: Iterable[Setting]) -> bool:
    """Whether a result from before these settings changed must be made again."""
    return any(not is_within(setting.key, _NOT_IN_SCORES) for setting in settings)


def affects_samples(settings: Iterable[Setting]) -> bool:
    """Whether the last samples from before these settings changed must be written again."""
    return any(
        is_within(setting.key, ("sample",)) and setting.key != "sample.every_steps"
        for setting in settings
    )


def write_change(
    directory: RunDirectory, recipe: Recipe, settings: Sequence[Setting], *, step: int
) -> None:
    """Store a changed recipe, and what changed at `step`. Nothing is written without a change."""
    text = recipe.to_yaml()
    before, after = _sha256(directory), hashlib.sha256(text.encode()).hexdigest()
    change = Change(
        step=step,
        at=datetime.now(UTC),
        recipe_sha256="" if before == after else before,
        settings=tuple(settings),
    )
    try:
        if settings:
            changes = [each.model_dump(mode="json") for each in (*read_changes(directory), change)]
            write_whole(directory.changes, json.dumps({"changes": changes}, indent=1) + "\n")
        if before != after:  # also where a change that was made in recipe.yaml was taken back
            write_whole(directory.recipe, text)
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
        stored = read_json(directory.changes)
        require_known_format(stored, directory.changes)
        changes = tuple(Change.model_validate(each) for each in stored["changes"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise CheckpointError(
            f"{directory.changes} is damaged, and without it the settings that the run was trained "
            f"with before are unknown; restore it from a copy."
        ) from error
    if changes and changes[-1].recipe_sha256 == (_sha256(directory) or None):
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
        if change.step > 0 and is_within(setting.key, DECIDING)
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


def is_within(key: str, prefixes: Iterable[str]) -> bool:
    """Whether a setting is one of these, or inside one."""
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)


def _sha256(directory: RunDirectory) -> str:
    """Of recipe.yaml; "" where it cannot be read."""
    try:
        return hashlib.sha256(recipe_content(directory)).hexdigest()
    except CheckpointError:
        return ""
