"""Folders of runs, made without training: a recipe, an origin, checkpoints, and a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from commands import SMALL
from made_states import RUN_STATE, TRAINING_STATE
from small_result import make_result

from seqzoo.results.result import write_result
from seqzoo.runs.directory import RunDirectory
from seqzoo.training.manifest import MANIFEST, STATE, FileRecord, Manifest


def make_run(
    path: Path,
    *,
    steps: Sequence[int] = (30, 60),
    budget: str = "{steps: 60}",
    scored_at: int | None = 60,
    best: int | None = None,
    epochs: float | None = 1.0,
    **changes: Any,
) -> RunDirectory:
    """steps: of its checkpoints. scored_at: the steps of its result; None for no result."""
    path.mkdir(parents=True)
    directory = RunDirectory(path)
    directory.recipe.write_text(SMALL.replace("{steps: 60}", budget))
    origin = {"base": str(path), "corpus": {"name": "c", "sha256": "a" * 64, "fell_back": False}}
    directory.origin.write_text(json.dumps(origin))
    directory.samples.mkdir()
    for step in steps:
        make_checkpoint(directory.checkpoints, step, best=best, epochs=epochs)
    if scored_at is not None:
        write_result(directory.result, make_result(steps=scored_at, run=path.name, **changes))
        (directory.samples / f"step-{make_result(**changes).step}-1.txt").write_text("text")
    return directory


def make_checkpoint(folder: Path, step: int, *, best: int | None, epochs: float | None) -> None:
    state = {
        **TRAINING_STATE,
        **{key: value for key, value in RUN_STATE.items() if key != "epochs"},
        "step": step,
        "spent": {"steps": step, "bytes": 10 * step, "seconds": step / 10, "peak_memory_bytes": 1},
        "best": best and [best, 2.0],
        **({} if epochs is None else {"epochs": epochs}),
    }
    contents = {
        "model.safetensors": b"m" * 100,
        "optimizer.safetensors": b"o" * 200,
        "carried.safetensors": b"c" * 10,
        "generators.safetensors": b"g" * 10,
        STATE: json.dumps(state).encode(),
    }
    directory = folder / f"step-{step}"
    directory.mkdir(parents=True)
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    files = {
        name: FileRecord(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in contents.items()
    }
    manifest = Manifest(format_version=1, step=step, files=files)
    (directory / MANIFEST).write_bytes(manifest.content())
