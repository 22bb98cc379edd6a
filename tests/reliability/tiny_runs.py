"""Runs that take a fraction of a second, with every installed architecture, and what is compared.

Two trainings are equal if the sha256 of every file of tensors of the last checkpoint is equal, and
metrics.jsonl byte for byte. The hashes are made here, not read from a manifest.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from children import run_command
from installed_architectures import SMALL, build, options_of
from made_trainings import made_optimizer

from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.training.checkpoint_files import checkpoint_steps
from seqzoo.training.manifest import PARTS

__all__ = [
    "architectures",
    "different",
    "digest",
    "installed",
    "newest_step",
    "recipe",
    "run_once",
    "text_of",
    "warm_up",
    "write_recipe",
]

TEXT_BYTES = 6000
STEPS = 12

installed = functools.cache(load_registry)
"""The plugins of this environment; trials do not change them."""


def architectures(registry: Registry | None = None) -> list[str]:
    """The names of all installed architectures."""
    return (registry or installed()).names("architecture")


def warm_up() -> None:
    """Import now what a run imports, so that forks of this process start at once.

    Nothing is trained: where torch has an accelerator, a fork could not train after that.
    """
    for module in ("seqzoo.cli", "seqzoo.runs.runner", "seqzoo.runs.resume"):
        importlib.import_module(module)
    registry = installed()
    for name in architectures():
        build(registry.get("architecture", name))
    for name in registry.names("optimizer"):
        made_optimizer(build(registry.get("architecture", architectures()[0])), name)


def text_of(size: int, seed: int = 0) -> bytes:
    """Words drawn from sixty, in lines."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(1, 7))) for _ in range(60)]
    text = ""
    while len(text) < size:
        text += " ".join(draw.choices(words, k=8)) + ".\n"
    return text.encode()[:size]


def recipe(architecture: str, text: Path, **changes: Any) -> dict[str, Any]:
    """A recipe of 12 updates with dropout, where there is dropout; changes: of `train`."""
    spec = installed().get("architecture", architecture)
    options = options_of(spec, **{**SMALL, "num_layers": 1, "dropout": 0.2})
    train = {
        "batch_size": 4,
        "bptt_length": 6,
        "optimizer": {"name": "adamw", "learning_rate": 0.01},
        "budget": {"steps": STEPS},
        "validation": {"every_steps": 5, "lanes": 2},
        "checkpoint": {"every_steps": 2},
        "log_every_steps": 1,
    }
    corpus = "file" if text.is_file() else "directory"
    return {
        "name": "tiny",
        "corpus": {"name": corpus, "options": {"path": str(text)}},
        "tokenizer": {"name": "bytes"},
        "architecture": {"name": architecture, "options": options.model_dump(mode="json")},
        "train": {**train, **changes},
        "evaluate": {"lanes": 4, "warmup_tokens": 4},
        "baselines": {"include": []},
        "sample": {"length": 3, "every_steps": 0},
        "runtime": {"threads": 1, "device": "cpu"},
    }


def write_recipe(folder: Path, architecture: str, **changes: Any) -> Path:
    """A folder's text and `ARCHITECTURE.yaml`."""
    text = folder / "text.txt"
    if not text.exists():
        text.write_bytes(text_of(TEXT_BYTES))
    path = folder / f"{architecture}.yaml"
    path.write_text(yaml.safe_dump(recipe(architecture, text, **changes), sort_keys=False))
    return path


def run_once(folder: Path, architecture: str, *, name: str, **changes: Any) -> Path:
    """Train, score and sample in a child; returns the run's folder."""
    path = write_recipe(folder, architecture, **changes)
    ended = run_command("run", path.name, "--name", name, folder=folder)
    if ended.code:
        raise RuntimeError(f"{path.name} does not run: {ended}")
    return folder / "runs" / name


def newest_step(run: Path) -> int | None:
    """The last checkpoint's step, by the names of the folders; None for none."""
    steps = checkpoint_steps(run / "checkpoints")
    return steps[-1] if steps else None


def digest(run: Path, *, is_scored: bool = True) -> Mapping[str, str]:
    """sha256 of each thing that must be equal in two equal runs, by its name."""
    step = newest_step(run)
    found = {
        name: _sha256((run / "checkpoints" / f"step-{step}" / name).read_bytes())
        for name in PARTS.values()
    }
    found["step"] = str(step)
    found["metrics.jsonl"] = _sha256((run / "metrics.jsonl").read_bytes())
    if is_scored:
        result = json.loads((run / "result.json").read_text())
        found["scores"] = json.dumps(result["scores"], sort_keys=True)
    return found


def different(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """The names of what differs, in words; "" if nothing does."""
    names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    return ", ".join(names)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
