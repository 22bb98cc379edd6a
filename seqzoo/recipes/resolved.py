"""Whether the recipe that a run keeps can be read again; with all defaults it is longer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from seqzoo.errors import Problem, RecipeError
from seqzoo.recipes.choices import check_with_choices
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import RecipeSections
from seqzoo.recipes.validation import dotted
from seqzoo.recipes.yaml_reader import MAX_BYTES, MAX_DEPTH, MAX_VALUES, DataPath, load_yaml

__all__ = ["require_readable"]

_SOURCE = "the recipe with all its settings"


def require_readable(recipe: Recipe) -> None:
    """Raises RecipeError if the file that a run keeps of the recipe is not read as this recipe.

    A run whose recipe cannot be read can be neither resumed nor sampled.
    """
    data, text = recipe.as_data(), recipe.to_yaml()
    sizes = (
        (len(text.encode()), MAX_BYTES, "bytes", lambda value: len(json.dumps(value))),
        (_count(data), MAX_VALUES, "values", _count),
        (_depth(data), MAX_DEPTH, "values inside each other", _depth),
    )
    for found, limit, unit, measure in sizes:
        if found > limit:
            place = _largest(data, measure)
            where = f", most of them in {dotted(place)}" if place else ""
            raise _error(
                f"has {found:,} {unit}{where}, expected at most {limit:,}: a run keeps all "
                f"settings, and could not be opened again; write fewer."
            )
    read, _ = load_yaml(text, _SOURCE)
    sections, mistakes = check_with_choices(RecipeSections, read, recipe.registry)
    if mistakes or sections is None:
        raise _error(f"would not be read again by a run: {mistakes[0].message}")
    fields = {name: getattr(sections, name) for name in RecipeSections.model_fields}
    again = recipe.model_copy(update=fields)
    if again != recipe:
        place = _difference(data, again.as_data())
        raise _error(
            f"would be read as another recipe by a run: {dotted(place)} does not stay as it is "
            f"when it is written and read."
        )


def _error(message: str) -> RecipeError:
    return RecipeError([Problem("", 0, 0, f"{_SOURCE} {message}")])


def _parts(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _count(value: Any) -> int:
    """How many values there are in it, itself included."""
    return 1 + sum(_count(inner) for _, inner in _parts(value))


def _depth(value: Any) -> int:
    return max((1 + _depth(inner) for _, inner in _parts(value)), default=0)


def _largest(value: Any, measure: Callable[[Any], int]) -> DataPath:
    """The innermost part that has more than half of all."""
    whole = measure(value)
    path: DataPath = ()
    while parts := _parts(value):
        key, inner = max(parts, key=lambda part: measure(part[1]))
        if 2 * measure(inner) <= whole:
            break
        path, value = (*path, key), inner
    return path


def _difference(one: Any, other: Any) -> DataPath:
    """The first place at which two values differ."""
    theirs = dict(_parts(other))
    for key, inner in _parts(one):
        if key not in theirs:
            return (key,)
        if inner != theirs[key]:
            return (key, *_difference(inner, theirs[key]))
    return ()
