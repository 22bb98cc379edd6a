"""The commands in a recipe: programs that would run with the rights of the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from seqzoo.plugin.command import COMMAND_FORMAT, Command, CommandLine
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.formats import option_places, recipe_places
from seqzoo.recipes.yaml_reader import DataPath

__all__ = ["option_commands", "recipe_commands"]

_FORMATS = frozenset({COMMAND_FORMAT})
_TYPES = (str, list)
_COMMAND: TypeAdapter[tuple[str, ...]] = TypeAdapter(Command)


def recipe_commands(data: Mapping[str, Any], registry: Registry) -> dict[DataPath, CommandLine]:
    """The commands that a recipe's data names, by their places; not the defaults of plugins."""
    return dict(_commands(data, recipe_places(data, registry, _FORMATS, types=_TYPES)))


def option_commands(options: BaseModel) -> list[CommandLine]:
    """The commands in the checked options of a plugin, defaults included."""
    data = options.model_dump(mode="json")
    places = option_places(data, type(options), _FORMATS, types=_TYPES)
    return [command for _, command in _commands(data, places)]


def _commands(data: Any, places: Iterator[DataPath]) -> Iterator[tuple[DataPath, CommandLine]]:
    for place in places:
        value = data
        for part in place:
            value = value[part]
        try:
            yield place, CommandLine(_COMMAND.validate_python(value))
        except ValidationError:  # reported where the recipe is checked
            continue
