"""GRID.yaml -> Grid: what a sweep varies, checked like a recipe before it is used.

Whether the settings fit the recipes is checked in `sweep.members`, which makes the members.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from seqzoo.errors import RecipeError, UsageError, did_you_mean
from seqzoo.recipes.checking import problems_at
from seqzoo.recipes.choice_fields import Choice, Kind
from seqzoo.recipes.choices import with_names_as_mappings
from seqzoo.recipes.sections import Section, run_name
from seqzoo.recipes.validation import Mistake, check, describe, dotted
from seqzoo.recipes.yaml_reader import MAX_BYTES, DataPath, Marks, load_yaml
from seqzoo.regular_files import open_to_read
from seqzoo.sweep.halving import AshaSection
from seqzoo.sweep.search import SearchSection
from seqzoo.terminal.format import quoted

__all__ = ["MAX_MEMBERS", "SEED", "Grid", "GridSections", "read_grid"]

MAX_MEMBERS = 1_000
SEED = "train.seed"
"""The setting that `seeds` sets."""

_Values = Annotated[tuple[Any, ...], Field(min_length=1)]
_Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


class GridSections(Section):
    """A whole grid file. Its members are recipes x members x grid x seeds."""

    name: Annotated[str, AfterValidator(run_name)] = Field(
        description="name of the folder that contains the members", examples=["my_sweep"]
    )
    description: str = Field(default="", description="for people")
    recipes: tuple[str, ...] = Field(
        min_length=1, description="recipe files, relative to the grid file's folder"
    )
    set: dict[str, Any] = Field(default={}, description="settings that all members share")
    grid: dict[str, _Values] = Field(
        default={}, description="values of each setting; every combination is a member"
    )
    members: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] | None = Field(
        default=None, description="a list of mappings of settings; each is a variant"
    )
    search: SearchSection | None = Field(
        default=None, description="settings that are drawn from ranges, beside those of members"
    )
    asha: AshaSection | None = Field(
        default=None, description="how members that are worse than others stop early"
    )
    finalists: int | None = Field(
        default=None,
        ge=1,
        description="how many settings, the best with the first seed, run with the other seeds too",
    )
    seeds: _Seeds | None = Field(
        default=None, description=f"values of {SEED}; without it each recipe's own"
    )
    launcher: Annotated[Choice, Kind("launcher")] = Field(
        default=Choice(name="local"), description="where the members run"
    )

    @property
    def num_members(self) -> int:
        """How many runs the sweep has."""
        lengths = [len(values) for values in self.grid.values()]
        return math.prod(
            [
                len(self.recipes),
                len(self.members or [{}]),
                self.search.members if self.search else 1,
                *lengths,
                len(self.seeds or [1]),
            ]
        )


@dataclass(frozen=True)
class Grid:
    """A checked grid file. text: as it was read. marks: the place of everything in it."""

    source: Path
    text: str
    sections: GridSections
    marks: Marks


def read_grid(path: Path) -> Grid:
    """Read and check a grid file.

    Raises UsageError where there is no readable file, RecipeError for every mistake in it.
    """
    text = _read(path)
    data, marks = load_yaml(text, str(path))
    if not isinstance(data, dict):
        message = f"a grid file is a mapping of sections, found {describe(data)}."
        raise RecipeError([marks.value(()).problem(message)])
    if "architecture" in data and "recipes" not in data:
        raise UsageError(f"{path} is a recipe; run it with: seqzoo run {quoted(path)}")
    sections, mistakes = check(GridSections, with_names_as_mappings(GridSections, data))
    if sections is not None:
        mistakes = [
            *_wrong_keys(sections),
            *_given_twice(sections),
            *_repeats(sections),
            *_useless(sections),
        ]
        if sections.num_members > MAX_MEMBERS:
            message = f"this makes {sections.num_members} members, expected at most {MAX_MEMBERS}."
            mistakes.append(Mistake((), message))
    if mistakes or sections is None:
        raise RecipeError(problems_at(mistakes, marks))
    return Grid(path, text.decode(), sections, marks)


def _read(path: Path) -> bytes:
    name = describe(str(path))
    try:
        with open_to_read(path) as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        folder = path.parent
        neighbours = [file.name for file in folder.glob("[!.]*.yaml")] if folder.is_dir() else []
        hint = did_you_mean(path.name, neighbours)
        raise UsageError(
            f"grid file {name} does not exist; docs/sweeps.md shows how to write one.{hint}"
        ) from None
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"grid file {name} cannot be read: {cause}.") from error


def _settings(sections: GridSections) -> Iterator[DataPath]:
    """The path of every setting's key; the key is its last part."""
    for section in ("set", "grid"):
        for key in getattr(sections, section):
            yield (section, key)
    if sections.search is not None:
        for key in sections.search.ranges:
            yield ("search", "ranges", key)
    for index, row in enumerate(sections.members or ()):
        for key in row:
            yield ("members", index, key)


def _wrong_keys(sections: GridSections) -> Iterator[Mistake]:
    for path in _settings(sections):
        key = str(path[-1])
        if "=" in key or key != key.strip() or not all(key.split(".")):
            message = f"{describe(key)} is not a setting, expected one such as train.batch_size."
            yield Mistake(path, message, at_key=True)
        elif key in ("name", "description"):
            message = f"'{key}' changes nothing in a run; members are named by their settings."
            yield Mistake(path, message, at_key=True)


def _given_twice(sections: GridSections) -> Iterator[Mistake]:
    """A setting that is given in two places: one of them would have no effect."""
    earlier: list[DataPath] = [("seeds", SEED)] if sections.seeds else []
    for path in _settings(sections):
        for other in earlier:
            other_variant = path[:2] != other[:2] and path[0] == other[0] == "members"
            if not other_variant and _overlap(str(path[-1]), str(other[-1])):
                message = (
                    f"'{path[-1]}' is given here and as '{other[-1]}' under {dotted(other[:-1])}; "
                    f"give it once."
                )
                yield Mistake(path, message, at_key=True)
                break
        earlier.append(path)


def _overlap(key: str, other: str) -> bool:
    """Whether one setting is the other or contains it."""
    short, long = sorted((key, other), key=len)
    return f"{long}.".startswith(f"{short}.")


def _repeats(sections: GridSections) -> Iterator[Mistake]:
    """Values that would give two members the same name."""
    lists: dict[DataPath, Sequence[Any]] = {
        ("grid", key): values for key, values in sections.grid.items()
    }
    lists[("recipes",)] = sections.recipes
    lists[("members",)] = sections.members or ()
    lists[("seeds",)] = sections.seeds or ()
    for path, values in lists.items():
        known: set[str] = set()
        for index, value in enumerate(values):
            text = json.dumps(value, sort_keys=True)
            if text in known:
                yield Mistake((*path, index), f"{describe(value)} is given a second time.")
            known.add(text)


def _useless(sections: GridSections) -> Iterator[Mistake]:
    """What has no effect without another key, or means nothing beside it."""
    if sections.search is not None and sections.search.method == "optuna":
        alone = "with method optuna there is one recipe"
        for key in ("members", "grid", "asha"):
            if getattr(sections, key):
                message = f"{alone}, and settings are in search.ranges alone; leave out {key}."
                yield Mistake((key,), message, at_key=True)
        if len(sections.recipes) > 1:
            yield Mistake(("recipes",), f"{alone}, and {len(sections.recipes)} are given.")
        if len(sections.seeds or ()) > 1 and sections.finalists is None:
            message = "with method optuna further seeds are for finalists; give their number."
            yield Mistake(("seeds",), message, at_key=True)
    if sections.finalists is not None and len(sections.seeds or ()) < 2:
        message = "the finalists run with further seeds, so seeds needs two values or more."
        yield Mistake(("finalists",), message, at_key=True)
