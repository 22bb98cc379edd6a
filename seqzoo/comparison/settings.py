"""Which settings differ between recipes, read as plain data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["SettingDifference", "differing_settings"]


@dataclass(frozen=True)
class SettingDifference:
    """A setting that is not equal in all recipes.

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
