"""The recipe of a card, as it is trained again: with the threads, the device and the updates."""

from __future__ import annotations

import copy
from pathlib import Path

from seqzoo.cards.card import Card
from seqzoo.errors import RecipeError, UsageError
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe, recipe_from
from seqzoo.recipes.own_text import Texts
from seqzoo.version import __version__

__all__ = ["recipe_to_train", "why_not_as_scored"]


def recipe_to_train(
    card: Card,
    path: Path,
    registry: Registry,
    *,
    seed: int,
    device: str | None = None,
    text: Texts | None = None,
) -> Recipe:
    """The recipe that repeats a training. Raises UsageError where the card's cannot be used.

    path: of the card; relative paths start from its folder. device: None for that of the card.
    Baselines are not scored again: they say nothing about the training. Trackers are left out, so
    that the card of a stranger cannot choose where they write.
    """
    data, result = copy.deepcopy(card.recipe), card.result
    try:
        data["train"]["seed"] = seed
        if card.budget_by_clock:
            data["train"]["budget"] = {"steps": result.steps}
        runtime = data.get("runtime") or {}
        data["runtime"] = {**runtime, "threads": result.threads, "device": device or result.device}
        data["baselines"] = {"include": []}
        data["trackers"] = []
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(f"{path} is damaged: its recipe has no training.") from None
    return _checked(data, path, registry, text)


def why_not_as_scored(card: Card, path: Path, registry: Registry) -> str:
    """A sentence if the recipe is not the one that the scores of the card are of; else "".

    Another version can have further settings, so only cards of this version are compared, and only
    those without files: the hash of a recipe has their paths in it.
    """
    recorded = card.result.fingerprint
    has_files = any(need.kind != "text" for need in card.needs)
    if has_files or card.result.versions.get("seqzoo") != __version__ or not recorded:
        return ""
    if _checked(card.recipe, path, registry, None).fingerprint == recorded:
        return ""
    return f"the recipe in {path} was changed after its scores were made"


def _checked(data: object, path: Path, registry: Registry, text: Texts | None) -> Recipe:
    if not isinstance(data, dict):
        raise UsageError(f"{path} is damaged: its recipe is no mapping.")
    try:
        return recipe_from(data, registry, base=path.absolute().parent, texts=text, is_named=False)
    except RecipeError as error:
        if not error.problems:
            raise
        first, *others = error.problems
        more = f" (and {len(others)} more)" if others else ""
        raise UsageError(f"{path}: the recipe cannot be used here: {first}{more}") from error
