"""Grid -> Members: every combination, its name, and its recipe checked before anything trains."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqzoo.errors import Problem, RecipeError, UsageError
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.trust import Unknown, UntrustedError, refuse
from seqzoo.recipes.load import Recipe, load_recipe
from seqzoo.recipes.shipped import find_recipe
from seqzoo.recipes.yaml_reader import Mark
from seqzoo.recipes.yaml_scalars import resolve
from seqzoo.sweep.grid import SEED, Grid
from seqzoo.sweep.search import drawn_settings

__all__ = ["RESERVED", "GivenSetting", "Member", "as_typed", "checked_recipes", "members_of"]

RESERVED = frozenset({"decisions.json", "lock", "logs", "recipe.yaml", "result.json", "sweep.yaml"})
"""Names of other files and folders in a sweep's folder, and of files that a run is known by."""

_MAX_NAME = 80


@dataclass(frozen=True)
class GivenSetting:
    """A setting that a grid file gives. key_mark, mark: places of its key and its value there."""

    key: str
    value: Any
    key_mark: Mark
    mark: Mark

    def __str__(self) -> str:
        """As an override on the command line."""
        return f"{self.key}={as_typed(self.value)}"


@dataclass(frozen=True)
class Member:
    """One run of a sweep.

    name: of its folder. recipe_mark: the place of the recipe in the grid file. group: the same for
    members that differ in their seed only.
    """

    name: str
    recipe: Path
    recipe_mark: Mark
    settings: tuple[GivenSetting, ...]
    group: int = 0

    @property
    def overrides(self) -> tuple[str, ...]:
        """The arguments of `seqzoo run` after the recipe."""
        return tuple(map(str, self.settings))

    @property
    def here(self) -> Path:
        """The folder that relative paths in the settings start from: the grid file's."""
        return Path(self.recipe_mark.source).parent


def as_typed(value: Any) -> str:
    """A value as one line from which an override reads the same value."""
    if isinstance(value, str) and re.fullmatch("[A-Za-z_./][A-Za-z0-9_./-]*", value):
        return value if resolve(value) == value else f'"{value}"'
    text = json.dumps(value, ensure_ascii=False)
    # YAML refuses characters that cannot be printed, but reads their escapes, inside quotes only.
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)


def members_of(grid: Grid, drawn: Sequence[Mapping[str, Any]] | None = None) -> tuple[Member, ...]:
    """Recipes x members x search x grid x seeds, the last changing fastest; names are different.

    drawn: the settings of `search`; None: those that the section draws.
    """
    sections, marks = grid.sections, grid.marks

    def setting(key: str, value: Any, *path: str | int) -> GivenSetting:
        return GivenSetting(key, value, marks.key(path[:2]), marks.value(path))

    shared = [setting(key, value, "set", key) for key, value in sections.set.items()]
    rows = [
        [
            GivenSetting(
                key, value, marks.key(("members", i, key)), marks.value(("members", i, key))
            )
            for key, value in row.items()
        ]
        for i, row in enumerate(sections.members or ({},))
    ]
    columns = [
        [[setting(key, value, "grid", key, i)] for i, value in enumerate(values)]
        for key, values in sections.grid.items()
    ]
    searched = (
        [
            [
                GivenSetting(key, value, marks.key(path), marks.value(path))
                for key, value in row.items()
                for path in [("search", "ranges", key)]
            ]
            for row in (drawn_settings(sections.search) if drawn is None else drawn)
        ]
        if sections.search
        else [[]]
    )
    seeds = [[setting(SEED, seed, "seeds", i)] for i, seed in enumerate(sections.seeds or ())]
    recipes = list(enumerate(sections.recipes))
    varieties = [
        list(itertools.chain(*parts))
        for parts in itertools.product(rows, searched, *columns, seeds or [[]])
    ]
    combined = [
        (index, recipe, varied) for (index, recipe), varied in itertools.product(recipes, varieties)
    ]
    short = _short_keys({setting.key for _, _, varied in combined for setting in varied})
    long_names = [
        "-".join([Path(recipe).stem, *(f"{short[s.key]}_{_words(s.value)}" for s in varied)])
        for _, recipe, varied in combined
    ]
    exact = [json.dumps([recipe, *map(str, varied)]) for _, recipe, varied in combined]
    return tuple(
        Member(
            name,
            find_recipe(recipe, folder=grid.source.parent),
            marks.value(("recipes", index)),
            (*shared, *varied),
            number // len(seeds or [1]),
        )
        for number, ((index, recipe, varied), name) in enumerate(
            zip(combined, _names(long_names, exact), strict=True)
        )
    )


def checked_recipes(members: Sequence[Member], registry: Registry) -> dict[str, Recipe]:
    """Each member's recipe by the member's name. Raises RecipeError with every mistake.

    A mistake in a setting is reported at the place of the setting in the grid file.
    """
    # The settings of the members are those of a file: nobody typed them.
    trust = replace(registry.trust, is_named=False)
    recipes, found, untrusted = _loaded(members, registry.trusting(replace(trust, decide=refuse)))
    if untrusted is not None:
        if not trust.permits(untrusted.unknown):
            raise untrusted
        recipes, found, _ = _loaded(members, registry.trusting(trust))
    if found:
        raise RecipeError(_once(found, members))
    return recipes


def _loaded(
    members: Sequence[Member], registry: Registry
) -> tuple[dict[str, Recipe], dict[Problem, Member], UntrustedError | None]:
    """The recipes, what is wrong with them, and an error for all code that may not run."""
    recipes: dict[str, Recipe] = {}
    found: dict[Problem, Member] = {}
    untrusted: list[Problem] = []
    unknown: dict[str, Unknown] = {}
    for member in members:
        try:
            recipes[member.name] = load_recipe(
                member.recipe, registry, overrides=member.overrides, here=member.here
            )
        except UntrustedError as error:
            untrusted += _placed(error.problems, member)
            unknown |= {each.code.key: each for each in error.unknown}
        except RecipeError as error:
            for problem in _placed(error.problems, member):
                found.setdefault(problem, member)
        except UsageError as error:
            found.setdefault(member.recipe_mark.problem(str(error)), member)
    if not untrusted:
        return recipes, found, None
    codes = list(unknown.values())
    problem = replace(untrusted[0], message=registry.trust.explain(codes))
    return recipes, found, UntrustedError(problem, codes)


def _placed(problems: Iterable[Problem], member: Member) -> Iterator[Problem]:
    """Problems of an override, moved to its place in the grid file; others are not changed."""
    marks = {str(setting): setting.mark for setting in member.settings}
    for problem in problems:
        mark = None if problem.line else marks.get(problem.source)
        yield mark.problem(problem.message) if mark else problem


def _once(found: Mapping[Problem, Member], members: Sequence[Member]) -> list[Problem]:
    """Problems without repetition: what all values of a setting have in common is one, at its key.

    A problem in a recipe may come from what a member changes elsewhere, so the member is named.
    """
    keys = {s.mark: s.key_mark for member in members for s in member.settings}
    grid_file = members[0].recipe_mark.source
    places: dict[tuple[Mark, str], list[Problem]] = {}
    for problem, member in found.items():
        place = Mark(problem.source, problem.line, problem.column)
        message = problem.message
        if place.source != grid_file and member.settings:
            message = f"{message} (In member '{member.name}'.)"
        places.setdefault((keys.get(place, place), message), []).append(problem)
    return [
        replace(same[0], message=message) if len(same) == 1 else key.problem(message)
        for (key, message), same in places.items()
    ]


def _short_keys(keys: set[str]) -> Mapping[str, str]:
    """For each setting the shortest end of its path that no other setting has."""
    short = {}
    for key in keys:
        parts = key.split(".")
        for count in range(1, len(parts) + 1):
            short[key] = ".".join(parts[-count:])
            if not any(f".{other}".endswith(f".{short[key]}") for other in keys - {key}):
                break
    return short


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value).replace("e+", "e")


def _names(wanted: Sequence[str], exact: Sequence[str]) -> Iterator[str]:
    """Names of folders, all different: a name that is not unique or too long gets a hash.

    exact: the exact meaning of each name; its hash is the same in every later sweep.
    """
    plain = [re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_").lstrip(".-") for name in wanted]
    # Some file systems ignore case.
    folded = [name.lower() for name in plain]
    for name, meaning in zip(plain, exact, strict=True):
        unclear = not name or name.lower() in RESERVED or folded.count(name.lower()) > 1
        if unclear or len(name) > _MAX_NAME:
            digest = hashlib.sha256(meaning.encode()).hexdigest()[:8]
            name = f"{name[: _MAX_NAME - 9]}-{digest}".lstrip("-")
        yield name
