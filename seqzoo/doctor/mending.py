"""The recipe with the findings' changes made: what the report prints at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqzoo.doctor.diagnosis import Diagnosis
from seqzoo.errors import SeqzooError
from seqzoo.overrides import apply_overrides
from seqzoo.recipe import parse_recipe
from seqzoo.registry import Registry
from seqzoo.yamlmarks import load_yaml
from seqzoo.yamlscalars import dump_yaml

__all__ = ["mended_recipe"]


def mended_recipe(
    diagnosis: Diagnosis,
    text: str | bytes,
    registry: Registry,
    *,
    source: str,
    base: Path,
    overrides: Sequence[str] = (),
) -> str | None:
    """The recipe's text with what the findings tell to set; None where they tell nothing.

    text, source, base: as `parse_recipe` takes them. overrides: what the visit itself had set.
    Raises RecipeError where the changes do not make a recipe.
    """
    changes: list[str] = []
    for finding in diagnosis.findings:
        changes += [change for change in finding.outcome.changes if change not in changes]
    if not changes:
        return None
    data, marks = load_yaml(text, source)
    apply_overrides(data, marks, overrides=[*overrides, *changes])
    data["name"] = f"{data['name']}_mended"
    data.pop("description", None)  # it describes what is no longer so
    mended = _without_needless_plugins(data, registry, base).rstrip() + "\n"
    parse_recipe(mended, registry, source=source, base=base)
    return mended


def _without_needless_plugins(data: dict[str, Any], registry: Registry, base: Path) -> str:
    """Its plugin files are dropped where it is a recipe without them."""
    slim = {key: value for key, value in data.items() if key != "plugins"}
    try:
        parse_recipe(dump_yaml(slim), registry, source="mended", base=base)
    except SeqzooError:
        return dump_yaml(data)
    return dump_yaml(slim)
