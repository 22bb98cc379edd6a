"""Where in plain data the values of some type are: the type's format in the JSON Schema says it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Set
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from seqzoo.plugin.registry import Registry
from seqzoo.recipes.choices import NamedPlugin, named_plugins
from seqzoo.recipes.sections import RecipeSections
from seqzoo.recipes.validation import schema_at
from seqzoo.recipes.yaml_reader import DataPath

__all__ = ["option_places", "recipe_places"]


def recipe_places(
    data: Mapping[str, Any], registry: Registry, formats: Set[str], *, types: tuple[type, ...]
) -> Iterator[DataPath]:
    """The places of all values in a recipe's data with one of the formats and one of the types.

    A value of the wrong type, or of a plugin that is not in the registry, is reported elsewhere.
    """
    yield from _places(data, RecipeSections, formats, types)
    for named in named_plugins(data, registry):
        if isinstance(named, NamedPlugin) and named.name in registry.names(named.kind):
            model = registry.get(named.kind, named.name).options
            prefix = named.options_path
            yield from option_places(named.options, model, formats, types=types, prefix=prefix)


def option_places(
    options: Any,
    model: type[BaseModel],
    formats: Set[str],
    *,
    types: tuple[type, ...],
    prefix: DataPath = (),
) -> Iterator[DataPath]:
    """The same in a plugin's options: a mapping, or the value of the plugin's shorthand option."""
    if isinstance(options, dict):
        yield from _places(options, model, formats, types, prefix=prefix)
    elif shorthand := getattr(model, "shorthand", None):
        for path in _places({shorthand: options}, model, formats, types):
            yield (*prefix, *path[1:])


def _places(
    data: Any,
    model: type[BaseModel],
    formats: Set[str],
    types: tuple[type, ...],
    *,
    prefix: DataPath = (),
    within: DataPath = (),
) -> Iterator[DataPath]:
    """data: an instance of the model as plain data, or the part of one that is at `within`.

    prefix: comes before each place.
    """
    root = _schema(model)
    if isinstance(data, types) and _has_format(schema_at(root, within, root), formats):
        yield (*prefix, *within)
    elif isinstance(data, (dict, list)):
        entries = data.items() if isinstance(data, dict) else enumerate(data)
        for key, value in entries:
            inner = (*within, key)
            yield from _places(value, model, formats, types, prefix=prefix, within=inner)


def _has_format(schema: Mapping[str, Any], formats: Set[str]) -> bool:
    branches = [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]
    return any(branch.get("format") in formats for branch in branches)


@functools.cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    try:
        return model.model_json_schema()
    except PydanticUserError:  # types that a plugin defines may have no schema
        return {}
