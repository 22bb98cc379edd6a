"""A sweep's folder: which members are finished, which can be resumed, and what is foreign.

runs/SWEEP/MEMBER/           a run like any other, see seqzoo.runs.directory
           logs/MEMBER.log   the output of the member's process
           sweep.yaml        the grid file as it was last run
           decisions.json    what asha decided, in order
           lock              held while a sweep runs here
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from seqzoo.errors import LockedError, SeqzooError, UsageError
from seqzoo.recipes.load import Recipe, parse_recipe
from seqzoo.recipes.validation import describe, dotted
from seqzoo.recipes.yaml_reader import MAX_BYTES, load_yaml
from seqzoo.regular_files import read_bytes
from seqzoo.results.result import read_result, require_replaceable
from seqzoo.runs.directory import RunDirectory
from seqzoo.terminal.console import note

__all__ = ["Completion", "SweepFolder"]

_PATIENCE_SECONDS = 30.0
"""How long a member may take to save after its sweep was killed."""


class Completion(StrEnum):
    """How far a member has come."""

    NEW = "new"
    UNFINISHED = "unfinished"
    FINISHED = "finished"


class SweepFolder:
    """Paths of one sweep, and the state of its members."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.copy = path / "sweep.yaml"
        self.logs = path / "logs"
        self.decisions = path / "decisions.json"

    def locked(self) -> AbstractContextManager[None]:
        """Lock the sweep, as RunDirectory.locked does."""
        return RunDirectory(self.path).locked()

    def member(self, name: str) -> RunDirectory:
        """Where a member's run is, or will be."""
        return RunDirectory(self.path / name)

    def log(self, name: str) -> Path:
        """The output of a member's process, of all its starts."""
        return self.logs / f"{name}.log"

    def completions(self, recipes: Mapping[str, Recipe]) -> dict[str, Completion]:
        """How far each member has come. recipes: the recipe that each should have, by name.

        Changes nothing. Raises UsageError where a folder contains something else, or the result of
        a newer seqzoo.
        """
        if (self.path / "recipe.yaml").exists():
            raise UsageError(f"{self.path} is a single run; give the sweep another name.")
        completions, refused = {}, []
        for name, recipe in recipes.items():
            directory = self.member(name)
            completions[name] = completion = _completion(directory)
            if reason := _foreign(directory, recipe, completion):
                refused.append(f"{directory.path} {reason}")
        if refused:
            others = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
            raise UsageError(
                f"{refused[0]}{others}; give the sweep another name, or remove that folder."
            )
        return completions

    def settle(self, names: Iterable[str]) -> None:
        """Wait until no process works on an unfinished member, so that completions stay true.

        Raises LockedError where another process keeps working on one.
        """
        for name in names:
            directory = self.member(name)
            if directory.path.is_dir() and _completion(directory) is not Completion.FINISHED:
                _wait_until_free(directory)

    def completion(self, name: str) -> Completion:
        """How far one member of this sweep has come."""
        return _completion(self.member(name))

    def is_free(self, name: str) -> bool:
        """Whether no process works on a member."""
        directory = self.member(name)
        try:
            with directory.locked() if directory.path.is_dir() else nullcontext():
                return True
        except LockedError:
            return False

    def clear(self, name: str) -> None:
        """Remove the files of a new member: it has not saved anything, and starts again."""
        path = self.member(name).path
        if path.exists():
            shutil.rmtree(path)


def _completion(directory: RunDirectory) -> Completion:
    if directory.result.exists():
        require_replaceable(directory.result)
        with suppress(UsageError):  # resuming writes a result that cannot be read again
            read_result(directory.result)
            return Completion.FINISHED
    saved = any(directory.checkpoints.glob("step-*[0-9]"))
    return Completion.UNFINISHED if saved and directory.recipe.exists() else Completion.NEW


def _foreign(directory: RunDirectory, recipe: Recipe, completion: Completion) -> str:
    """Why a folder is not this member's, for a message; empty where it is."""
    if completion is Completion.NEW:
        return "is not a run of this sweep" if _would_lose(directory) else ""
    try:
        text = read_bytes(directory.recipe, limit=MAX_BYTES)
        if _plugin_files(text) != [str(file) for file in recipe.plugins]:
            return "contains a run with other plugin files"  # nobody has allowed to run them
        stored = parse_recipe(text, recipe.registry, source=str(directory.recipe), base=recipe.base)
    except (OSError, SeqzooError):
        return "contains a run whose recipe cannot be read"
    if recipe.is_own_text:  # the run took its prompt from its text
        sample = recipe.sample.model_copy(update={"prompt": stored.sample.prompt})
        recipe = recipe.model_copy(update={"sample": sample})
    one, other = _without_sweep_settings(stored), _without_sweep_settings(recipe)
    return "" if one == other else f"contains a run of another recipe ({_difference(one, other)})"


def _plugin_files(text: str | bytes) -> Any:
    data, _ = load_yaml(text, "")
    return data.get("plugins", []) if isinstance(data, dict) else None


def _would_lose(directory: RunDirectory) -> bool:
    """Whether a folder contains more than the first files of a run, so it must not be removed."""
    path = directory.path
    if not path.is_dir():
        return path.exists()
    if any(directory.checkpoints.glob("step-*[0-9]")):
        return True
    is_run = directory.recipe.exists() and directory.origin.exists()
    first_files = (directory.origin, path / "lock")
    kept = [file for file in path.iterdir() if file not in first_files and file.suffix != ".tmp"]
    return bool(kept) and not is_run


def _without_sweep_settings(recipe: Recipe) -> Recipe:
    """The recipe without the settings that the sweep itself chooses."""
    runtime = recipe.runtime.model_copy(update={"threads": None})
    return recipe.model_copy(update={"name": "member", "runtime": runtime})


def _difference(one: Recipe, other: Recipe) -> str:
    """The first setting that differs, with both its values."""
    found, wanted = (load_yaml(recipe.to_yaml(), "")[0] for recipe in (one, other))
    path: tuple[str, ...] = ()
    while isinstance(found, dict) and isinstance(wanted, dict):
        key = next(key for key in {**found, **wanted} if found.get(key) != wanted.get(key))
        path, found, wanted = (*path, key), found.get(key), wanted.get(key)
    return f"{dotted(path)} is {describe(found)}, not {describe(wanted)}"


def _wait_until_free(directory: RunDirectory) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    is_reported = False
    while True:
        try:
            with directory.locked():
                return
        except LockedError as error:
            if time.monotonic() > deadline:
                raise
            if not is_reported:
                note(f"{error} Waiting for it …")
            is_reported = True
            time.sleep(0.1)
