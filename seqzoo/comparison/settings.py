"""Which settings differ between recipes, or from the defaults; recipes are plain data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from seqzoo.recipes.layout import LAYOUT
from seqzoo.recipes.sections import RecipeSections

__all__ = ["SettingDifference", "changed_settings", "differing_settings"]


@dataclass(frozen=True)
class SettingDifference:
    """A setting that is not equal in all recipes, or not the default.

    path: dotted; entries of a list are counted from 0. values: by the letters of the runs that
    have the setting.
    """

    path: str
    values: Mapping[str, Any]


def differing_settings(
    recipes: Sequence[Mapping[str, Any]], letters: Sequence[str]
) -> tuple[SettingDifference, ...]:
    """What is not equal in all recipes, in their order, but for name and description."""
    flat = [dict(_flat(recipe)) for recipe in recipes]
    paths = dict.fromkeys(path for settings in flat for path in settings)
    # A setting that only a later recipe has is listed in its section, not at the end.
    order: dict[tuple[str, ...], int] = {}
    for path in paths:
        for end in range(1, len(path) + 1):
            order.setdefault(path[:end], len(order))
    found = []
    for path in sorted(paths, key=lambda path: [order[path[: i + 1]] for i in range(len(path))]):
        values = {
            letter: settings[path]
            for letter, settings in zip(letters, flat, strict=True)
            if path in settings
        }
        # As text: to Python true is 1, to a recipe it is not.
        texts = {json.dumps(value, sort_keys=True) for value in values.values()}
        if len(values) < len(recipes) or len(texts) > 1:
            found.append(SettingDifference(".".join(path), values))
    return tuple(setting for setting in found if setting.path not in ("name", "description"))


def changed_settings(recipe: Mapping[str, Any], letter: str) -> tuple[SettingDifference, ...]:
    """The settings of one recipe that are not the default, but for name and description.

    Options of plugins are all listed: their defaults are known to the plugin only.
    """
    return tuple(
        SettingDifference(".".join(path), {letter: value})
        for path, value in _flat(recipe)
        if not _is_default(path, value) and path not in (("name",), ("description",))
    )


def _is_default(path: tuple[str, ...], value: Any) -> bool:
    model = RecipeSections if len(path) == 1 else LAYOUT.sections.get(path[:-1])
    field = None if model is None else model.model_fields.get(path[-1])
    if field is None or field.is_required():
        return False
    default = TypeAdapter(field.annotation).dump_python(field.get_default(), mode="json")
    # As text: to Python true is 1, to a recipe it is not.
    return json.dumps(value, sort_keys=True) == json.dumps(default, sort_keys=True)


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every setting with its path. A list of plain values is one setting, as is an empty value."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, (*path, str(key)))
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, (*path, str(index)))
    elif path:
        yield path, value
