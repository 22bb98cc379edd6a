"""The recipe with the changes that the findings propose, printed at the end of the report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from seqzoo.doctor.diagnosis import Diagnosis
from seqzoo.errors import SeqzooError
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import parse_recipe
from seqzoo.recipes.overrides import apply_overrides
from seqzoo.recipes.paths import is_overridden, locate, recipe_paths
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.recipes.yaml_scalars import dump_yaml

__all__ = ["fixed_recipe"]


def fixed_recipe(
    diagnosis: Diagnosis,
    text: str | bytes,
    registry: Registry,
    *,
    source: str,
    base: Path,
    folder: Path,
    overrides: Sequence[str] = (),
) -> str | None:
    """The recipe's text with the settings that the findings propose; None if there are none.

    text, source, base: as for `parse_recipe`. registry: without the recipe's own plugin files.
    folder: where the text will be written; relative paths start from there.
    overrides: those that the doctor was started with.
    Raises RecipeError if the changes do not make a recipe.
    """
    changes = _changes(diagnosis)
    if not changes:
        return None
    data, marks = load_yaml(text, source)
    apply_overrides(data, marks, overrides=[*overrides, *changes])
    places = recipe_paths(data, registry)
    locate(data, places, here=Path.cwd(), is_override=partial(is_overridden, marks))
    data["name"] = f"{data['name']}_fixed"
    data.pop("description", None)  # it describes the recipe before the changes
    if base.resolve() != folder.resolve():
        _move(data, base, folder)
    fixed = _without_needless_plugins(data, registry, folder).rstrip() + "\n"
    parse_recipe(fixed, registry, source=source, base=folder)
    return fixed


def _changes(diagnosis: Diagnosis) -> list[str]:
    """The settings that findings propose, causes first. A setting that an earlier finding changes,
    as a whole or in part, keeps that value: later figures were measured without it.
    """
    changes: dict[str, str] = {}
    for finding in diagnosis.findings:
        decided = [f"{path}." for path in changes]
        for change in finding.outcome.changes:
            path = change.partition("=")[0]
            own = f"{path}."
            if not any(own.startswith(other) or other.startswith(own) for other in decided):
                changes[path] = change
    return list(changes.values())


def _move(data: dict[str, Any], base: Path, folder: Path) -> None:
    """Rewrite the relative paths of files that exist, so that they start from another folder."""

    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: moved(each) for key, each in value.items()}
        if isinstance(value, list):
            return [moved(each) for each in value]
        if isinstance(value, str) and value and (base / value).exists():
            return os.path.relpath((base / value).resolve(), folder.resolve())
        return value

    for section in ("plugins", "corpus", "tokenizer"):
        if section in data:
            data[section] = moved(data[section])


def _without_needless_plugins(data: dict[str, Any], registry: Registry, folder: Path) -> str:
    """Leave out its plugin files if it is a valid recipe without them."""
    slim = {key: value for key, value in data.items() if key != "plugins"}
    try:
        parse_recipe(dump_yaml(slim), registry, source="fixed", base=folder)
    except SeqzooError:
        return dump_yaml(data)
    return dump_yaml(slim)
