"""docs/cards/ has a card of each run in the leaderboard, of the recipe as it is now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import REPOSITORY

from seqzoo.cards.card import read_card
from seqzoo.cards.recipe import why_not_as_scored
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import load_recipe, recipe_from

CARDS = sorted((REPOSITORY / "docs" / "cards").glob("*.json"))


def rows() -> set[str]:
    """The runs in the table of docs/leaderboard.md."""
    page = (REPOSITORY / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    table = page.partition("<!-- leaderboard -->")[2].partition("<!-- end of leaderboard -->")[0]
    found = re.findall(r"^\| =?\d+ \| (\S+) \|", table, re.MULTILINE)
    assert found
    return {name.replace("\\", "") for name in found}


def test_every_run_in_the_leaderboard_has_a_card() -> None:
    assert rows() <= {path.stem for path in CARDS}


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_shipped_card_is_of_the_shipped_recipe(path: Path, registry: Registry) -> None:
    card = read_card(path)
    recipe = load_recipe(REPOSITORY / "recipes" / f"{path.stem}.yaml", registry)
    assert card.recipe["name"] == path.stem
    assert card.result.fingerprint == recipe.fingerprint
    # With the settings that came after the card: they have the values of before.
    filled = recipe_from(card.recipe, registry, base=path.parent, is_named=False)
    assert filled.as_data()["train"] == recipe.as_data()["train"]
    assert why_not_as_scored(card, path, registry) == ""
    assert not card.needs


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_shipped_card_has_no_path_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r'"(?:/|~|[A-Za-z]:\\)', text)
