"""Small runs of generated text, and cards of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import seqzoo
from seqzoo.cards.card import Card, card_text
from seqzoo.cards.make import card_of
from seqzoo.cards.repeat import Repetition, reproduce
from seqzoo.plugin.registry import load_registry
from seqzoo.terminal.display import Display

TINY: dict[str, Any] = {
    "name": "tiny",
    "corpus": {"name": "pastiche", "options": {"size_bytes": 8000}},
    "tokenizer": {"name": "bytes"},
    "architecture": {"name": "gru", "options": {"hidden_size": 8}},
    "train": {
        "batch_size": 4,
        "bptt_length": 8,
        "optimizer": {"name": "adamw", "learning_rate": 0.01},
        "budget": {"steps": 6},
        "validation": {"every_steps": 3},
    },
    "baselines": {"include": []},
    "sample": {"length": 4},
    "runtime": {"threads": 1, "device": "cpu"},
}


def train(root: Path, name: str, **changes: Any) -> Path:
    """The folder of a new run of `TINY`. changes: overrides, with `__` for a dot."""
    overrides = {key.replace("__", "."): value for key, value in changes.items()}
    return seqzoo.run(TINY, overrides, root=root, name=name, trust=True).path


def carded(*runs: Path) -> Card:
    """The card of a run, with the others as its seeds."""
    return card_of(runs, load_registry(trust=True))


def written(path: Path, card: Card, changes: Mapping[str, Any] | None = None) -> Path:
    """The card in a file, with other values at dotted places."""
    data = json.loads(card_text(card))
    for key, value in (changes or {}).items():
        *parts, last = key.split(".")
        inner = data
        for part in parts:
            inner = inner[part]
        inner[last] = value
    path.write_text(json.dumps(data))
    return path


def repeated(path: Path, root: Path, **options: Any) -> Repetition:
    """What comes out of a card. Nothing is printed."""
    registry = load_registry(trust=True)
    return reproduce(path, registry, root=root, display=Display(), **options)
