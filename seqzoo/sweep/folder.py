"""A sweep's folder: which members are finished, which can go on, and which are another's.

runs/SWEEP/MEMBER/           a run like any other, see rundirectory.py
           logs/MEMBER.log   what the member's process said
           sweep.yaml        the grid file as it was last run
           lock              held while a sweep works here
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from enum import StrEnum
from pathlib import Path

from seqzoo.errors import LockedError, SeqzooError, UsageError
from seqzoo.recipes.load import Recipe, parse_recipe
from seqzoo.recipes.validation import dotted, shown
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.results.result import read_result
from seqzoo.runs.directory import RunDirectory
from seqzoo.terminal.console import note

__all__ = ["Completion", "SweepFolder"]

_PATIENCE_SECONDS = 30.0
"""How long a member that its killed sweep left behind may take to save."""


class Completion(StrEnum):
    """How far a member has come."""

    NEW = "new"
    UNFINISHED = "unfinished"
    FINISHED = "finished"


class SweepFolder:
    """Paths of one sweep, and what is in them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.copy = path / "sweep.yaml"
        self.logs = path / "logs"

    def locked(self) -> AbstractContextManager[None]:
        """Hold the sweep, as RunDirectory.locked does."""
        return RunDirectory(self.path).locked()

    def member(self, name: str) -> RunDirectory:
        """Where a member's run is, or will be."""
        return RunDirectory(self.path / name)

    def log(self, name: str) -> Path:
        """What a member's process said, of all its starts."""
        return self.logs / f"{name}.log"

    def completions(self, recipes: Mapping[str, Recipe]) -> dict[str, Completion]:
        """How far each member has come; `recipes` holds what they ought to be, by name.

        Changes nothing. Raises UsageError where a folder holds something else.
        """
        if (self.path / "recipe.yaml").exists():
            raise UsageError(f"{self.path} is a single run; give the sweep another name.")
        completions, refused = {}, []
        for name, recipe in recipes.items():
            directory = self.member(name)
            completions[name] = completion = _completion(directory)
            if strange := _strange(directory, recipe, completion):
                refused.append(f"{directory.path} {strange}")
        if refused:
            others = f" (and {len(refused) - 1} more are like it)" if len(refused) > 1 else ""
            raise UsageError(
                f"{refused[0]}{others}; give the sweep another name, or remove what is there."
            )
        return completions

    def settle(self, names: Iterable[str]) -> None:
        """Wait until nobody works on an unfinished member any more, so that completions hold.

        Raises LockedError where another process keeps one.
        """
        for name in names:
            directory = self.member(name)
            if directory.path.is_dir() and _completion(directory) is not Completion.FINISHED:
                _wait_until_free(directory)

    def clear(self, name: str) -> None:
        """Remove what is there of a new member: it never saved, and begins anew."""
        path = self.member(name).path
        if path.exists():
            shutil.rmtree(path)


def _completion(directory: RunDirectory) -> Completion:
    if directory.result.exists():
        with suppress(UsageError):  # one that cannot be read is made anew by going on
            read_result(directory.result)
            return Completion.FINISHED
    saved = any(directory.checkpoints.glob("step-*[0-9]"))
    return Completion.UNFINISHED if saved and directory.recipe.exists() else Completion.NEW


def _strange(directory: RunDirectory, recipe: Recipe, completion: Completion) -> str:
    """What speaks against taking a folder for the member's; empty where nothing does."""
    if completion is Completion.NEW:
        return "is no run of this sweep" if _would_lose(directory) else ""
    try:
        text = directory.recipe.read_text(encoding="utf-8")
        stored = parse_recipe(text, recipe.registry, source=str(directory.recipe), base=recipe.base)
    except (OSError, SeqzooError):
        return "holds a run whose recipe cannot be read"
    one, other = _comparable(stored), _comparable(recipe)
    return "" if one == other else f"holds a run of another recipe ({_difference(one, other)})"


def _would_lose(directory: RunDirectory) -> bool:
    """Whether a folder holds more than the first moments of a run, so that it must not go."""
    path = directory.path
    if not path.is_dir():
        return path.exists()
    if any(directory.checkpoints.glob("step-*[0-9]")):
        return True
    is_run = directory.recipe.exists() and directory.origin.exists()
    begun = (directory.origin, path / "lock")
    kept = [file for file in path.iterdir() if file not in begun and file.suffix != ".tmp"]
    return bool(kept) and not is_run


def _comparable(recipe: Recipe) -> Recipe:
    """Without what the sweep itself chooses."""
    runtime = recipe.runtime.model_copy(update={"threads": None})
    return recipe.model_copy(update={"name": "member", "runtime": runtime})


def _difference(one: Recipe, other: Recipe) -> str:
    """The first setting that differs, with both its values."""
    found, wanted = (load_yaml(recipe.to_yaml(), "")[0] for recipe in (one, other))
    path: tuple[str, ...] = ()
    while isinstance(found, dict) and isinstance(wanted, dict):
        key = next(key for key in {**found, **wanted} if found.get(key) != wanted.get(key))
        path, found, wanted = (*path, key), found.get(key), wanted.get(key)
    return f"{dotted(path)} is {shown(found)}, not {shown(wanted)}"


def _wait_until_free(directory: RunDirectory) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    told = False
    while True:
        try:
            with directory.locked():
                return
        except LockedError as error:
            if time.monotonic() > deadline:
                raise
            if not told:
                note(f"{error} Waiting for it …")
            told = True
            time.sleep(0.1)
