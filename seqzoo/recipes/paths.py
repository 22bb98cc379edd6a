"""The paths in a recipe: which values are paths, and which folder each of them starts from.

A value is a path if its field has the type `Path`, also in the options of a plugin. A path in a
file starts from the file's folder, and one in an override from the folder that the user is in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from seqzoo.plugin.registry import Registry
from seqzoo.recipes.formats import option_places, recipe_places
from seqzoo.recipes.validation import Mistake, dotted
from seqzoo.recipes.yaml_reader import DataPath, Marks

__all__ = ["change_paths", "expanded", "is_overridden", "locate", "option_paths", "recipe_paths"]

_FORMATS = frozenset({"path", "file-path", "directory-path"})


def recipe_paths(data: Mapping[str, Any], registry: Registry) -> Iterator[DataPath]:
    """The places of all values in a recipe's data that are paths.

    A value of the wrong type, or of a plugin that is not in the registry, is reported elsewhere.
    """
    return recipe_places(data, registry, _FORMATS, types=(str,))


def option_paths(
    options: Any, model: type[BaseModel], *, prefix: DataPath = ()
) -> Iterator[DataPath]:
    """The places of all values in a plugin's options that are paths.

    options: a mapping, or the value of the plugin's shorthand option.
    """
    return option_places(options, model, _FORMATS, types=(str,), prefix=prefix)


def locate(
    data: Any, places: Iterator[DataPath], *, here: Path, is_override: Callable[[DataPath], bool]
) -> list[Mistake]:
    """Expand `~`, and make the paths of overrides absolute: they start from `here`.

    Changes `data` in place. Returns the paths that are empty, which nobody means: an empty path is
    the folder that it starts from.
    """
    mistakes = []

    def located(place: DataPath, value: str) -> str:
        if not value.strip():
            mistakes.append(
                Mistake(place, f"{dotted(place)} is empty, expected a path; '.' is the folder.")
            )
            return value
        path = expanded(value)
        return str(here.resolve() / path) if is_override(place) else str(path)

    change_paths(data, places, located)
    return mistakes


def change_paths(
    data: Any, places: Iterator[DataPath], change: Callable[[DataPath, str], str]
) -> None:
    """Replace the value at each place by what `change` returns for the place and the value."""
    for place in list(places):
        container = data
        for part in place[:-1]:
            container = container[part]
        container[place[-1]] = change(place, container[place[-1]])


def is_overridden(marks: Marks, path: DataPath) -> bool:
    """Whether an override gave the value at `path`, or something around it."""
    known = (marks.values.get(path[:length]) for length in range(len(path), 0, -1))
    mark = next((mark for mark in known if mark is not None), None)
    return mark is not None and not mark.line


def expanded(value: str) -> Path:
    """A path with `~` expanded."""
    try:
        return Path(value).expanduser()
    except RuntimeError:  # there is no such user
        return Path(value)
