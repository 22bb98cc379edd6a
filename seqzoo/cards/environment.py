"""What the last bits of a training depend on besides its recipe: that of a card, and that here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqzoo.cards.card import Card
from seqzoo.cards.make import plugin_records
from seqzoo.recipes.load import Recipe
from seqzoo.results.result import PluginRecord

__all__ = ["Other", "differing"]


@dataclass(frozen=True)
class Other:
    """Something that differs. card, here: both values in words; "none" where there is none."""

    name: str
    card: str
    here: str

    def __str__(self) -> str:
        return f"{self.name}: {self.card} in the card, {self.here} here"


def differing(card: Card, recipe: Recipe, record: Mapping[str, Any]) -> list[Other]:
    """What differs. record: of the runtime here, see `Runtime.record`."""
    theirs = _in_words({**card.result.model_dump(), "kernels": card.kernels}, card.plugins)
    # A run of an older seqzoo has no record of its kernels: they are not compared.
    known = record if card.kernels else {**record, "kernels": {}}
    ours = _in_words(known, plugin_records(recipe.as_data(), recipe.registry))
    return [
        Other(name, theirs.get(name) or "none", ours.get(name) or "none")
        for name in {**theirs, **ours}
        if (theirs.get(name) or "none") != (ours.get(name) or "none")
    ]


_NAMES = {
    "device": "device",
    "accelerator": "accelerator",
    "cpu": "type of the CPU",
    "threads": "number of threads",
    "precision": "precision",
}


def _in_words(record: Mapping[str, Any], plugins: Mapping[str, PluginRecord]) -> dict[str, str]:
    packages = {each.distribution: each.version for each in plugins.values() if each.distribution}
    versions = {**packages, **record["versions"]}
    return {
        **{name: str(record.get(key) or "") for key, name in _NAMES.items()},
        **{f"version of {package}": str(version) for package, version in versions.items()},
        **{name: str(value) for name, value in record.get("kernels", {}).items()},
    }
