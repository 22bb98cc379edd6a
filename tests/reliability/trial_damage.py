"""Damaged and foreign checkpoints: none is loaded without a word.

Each case damages a copy of a run's checkpoints. A step that is loaded must have the bytes that
were saved for it, found by comparing tensors; anything else must be a CheckpointError that names a
file, or a warning that names it and an older step.
"""

from __future__ import annotations

import inspect
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from outcome import Outcome
from tiny_runs import architectures, run_once

from seqzoo.errors import CheckpointError, SeqzooError
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.manifest import MANIFEST

__all__ = ["trial"]

Damage = Callable[[Path, Path, random.Random], str]
"""(checkpoints of this run, of another run, draws) -> the name of the step's folder."""


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """Damage `count` copies of a run of the first architecture."""
    found, draw = Outcome(), random.Random(seed)
    name = architectures()[0]
    keep = {"checkpoint": {"every_steps": 4, "keep": 3}, "validation": {"every_steps": 0}}
    ours = run_once(folder, name, name="ours", **keep) / "checkpoints"
    other = run_once(folder, name, name="other", seed=2, **keep) / "checkpoints"
    run = _run_of(ours)
    saved = {step: _load(ours, step, run) for step in checkpoints.checkpoint_steps(ours)}
    loud = older = 0
    for number in range(count):
        damage = DAMAGES[number % len(DAMAGES)]
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(ours, copy)
        case_seed = draw.randrange(2**32)
        what = damage(copy, other, random.Random(case_seed))
        with found.case(f"{damage.__name__.strip('_')} of {what}, draw {case_seed}"):
            changed = [step for step in saved if _differs(copy, ours, step)]
            for step in changed:
                if (copy / f"step-{step}").exists():
                    _require_refused(found, copy, step, saved[step], run)
            loaded, said = _newest(found, copy, run)
            if loaded is None:
                loud += 1
                continue
            older += bool(said)
            found.require(
                loaded.step in saved and _equal(loaded, saved[loaded.step]),
                f"step {loaded.step} is loaded with other content",
            )
            passed = [step for step in changed if step > loaded.step]
            for step in passed:
                if (copy / f"step-{step}").exists():
                    found.require(f"step-{step}" in " ".join(said), f"step {step}: no warning")
    found.notes.append(f"{loud} errors, {older} older steps with a warning")
    return found


def _newest(found: Outcome, folder: Path, run: str | None) -> tuple[Checkpoint | None, list[str]]:
    said: list[str] = []
    try:
        return checkpoints.load_newest(folder, warn=said.append, **_of_run(run)), said
    except SeqzooError as error:
        found.require(str(folder) in str(error), f"the error names no file: {error}")
    return None, said


def _require_refused(
    found: Outcome, folder: Path, step: int, saved: Checkpoint, run: str | None
) -> None:
    try:
        loaded = _load(folder, step, run)
    except CheckpointError as error:
        found.require(f"step-{step}" in str(error), f"the error names no file: {error}")
    else:
        # White space of the manifest, for one, has no meaning.
        found.require(_equal(loaded, saved), f"step {step} is loaded without a word")


def _load(folder: Path, step: int, run: str | None) -> Checkpoint:
    return checkpoints.load(folder, step, **_of_run(run))


def _of_run(run: str | None) -> dict[str, Any]:
    known = inspect.signature(checkpoints.load).parameters
    return {"run": run} if "run" in known else {}


def _run_of(folder: Path) -> str | None:
    """The id of the run, as its own checkpoints record it."""
    (first, *_) = checkpoints.checkpoint_steps(folder)
    run: str | None = json.loads((folder / f"step-{first}" / MANIFEST).read_text()).get("run")
    return run


def _differs(copy: Path, original: Path, step: int) -> bool:
    one, other = copy / f"step-{step}", original / f"step-{step}"
    names = {path.name for folder in (one, other) if folder.exists() for path in folder.iterdir()}
    return any(_bytes(one / name) != _bytes(other / name) for name in names)


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _equal(one: Checkpoint, other: Checkpoint) -> bool:
    for part in ("model", "optimizer", "carried", "generators"):
        ours, theirs = getattr(one, part), getattr(other, part)
        if ours.keys() != theirs.keys():
            return False
        if not all(torch.equal(ours[name], theirs[name]) for name in theirs):
            return False
    return dict(one.state) == dict(other.state) and one.step == other.step


def _any_step(folder: Path, draw: random.Random) -> Path:
    newest, *older = reversed(checkpoints.checkpoint_steps(folder))
    # The newest is the one that is usually loaded.
    return folder / f"step-{newest if draw.random() < 0.6 else draw.choice(older)}"


def _any_file(folder: Path, draw: random.Random) -> Path:
    return draw.choice(sorted(_any_step(folder, draw).iterdir()))


def _changed(path: Path, content: bytes | bytearray) -> str:
    path.write_bytes(content)
    return f"{path.parent.name}/{path.name}"


def _flip(folder: Path, _: Path, draw: random.Random) -> str:
    path = _any_file(folder, draw)
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return _changed(path, content)


def _truncate(folder: Path, _: Path, draw: random.Random) -> str:
    path = _any_file(folder, draw)
    content = path.read_bytes()
    return _changed(path, content[: draw.randrange(len(content))])


def _zero_page(folder: Path, _: Path, draw: random.Random) -> str:
    path = _any_file(folder, draw)
    content = bytearray(path.read_bytes())
    begin = draw.randrange(0, len(content), 512)
    content[begin : begin + 512] = bytes(len(content[begin : begin + 512]))
    return _changed(path, content)


def _append(folder: Path, _: Path, draw: random.Random) -> str:
    path = _any_file(folder, draw)
    return _changed(path, path.read_bytes() + draw.randbytes(draw.randint(1, 64)))


def _delete(folder: Path, _: Path, draw: random.Random) -> str:
    path = _any_file(folder, draw)
    path.unlink()
    return f"{path.parent.name}/{path.name}"


def _swap_files(folder: Path, _: Path, draw: random.Random) -> str:
    """The same file of two steps of one run, or all files but the manifest."""
    one, other = draw.sample(checkpoints.checkpoint_steps(folder), 2)
    names = [path.name for path in (folder / f"step-{one}").iterdir()]
    chosen = [draw.choice(names)] if draw.random() < 0.7 else [n for n in names if n != MANIFEST]
    for name in chosen:
        a, b = folder / f"step-{one}" / name, folder / f"step-{other}" / name
        first, second = a.read_bytes(), b.read_bytes()
        a.write_bytes(second)
        b.write_bytes(first)
    return f"step-{one} and step-{other}"


def _swap_steps(folder: Path, _: Path, draw: random.Random) -> str:
    """Whole folders under each other's names."""
    one, other = draw.sample(checkpoints.checkpoint_steps(folder), 2)
    aside = folder / "aside"
    (folder / f"step-{one}").rename(aside)
    (folder / f"step-{other}").rename(folder / f"step-{one}")
    aside.rename(folder / f"step-{other}")
    return f"step-{one} and step-{other}"


def _other_files(folder: Path, other: Path, draw: random.Random) -> str:
    """A file of the same step of another run."""
    path = _any_file(folder, draw)
    return _changed(path, (other / path.parent.name / path.name).read_bytes())


def _other_step(folder: Path, other: Path, draw: random.Random) -> str:
    """The whole step of another run."""
    step = _any_step(folder, draw)
    shutil.rmtree(step)
    shutil.copytree(other / step.name, step)
    return step.name


def _edited_manifest(folder: Path, _: Path, draw: random.Random) -> str:
    """A value of the manifest is another one."""
    path = _any_step(folder, draw) / MANIFEST
    manifest = json.loads(path.read_text())
    key = draw.choice(sorted(manifest))
    if key == "files":
        entry = manifest["files"][draw.choice(sorted(manifest["files"]))]
        entry[draw.choice(["bytes", "sha256"])] = draw.choice([None, -1, 0, "", [], "0" * 64])
    elif draw.random() < 0.5:
        del manifest[key]
    else:
        manifest[key] = draw.choice([None, -1, "x", [], {}, 2.5])
    return _changed(path, json.dumps(manifest).encode())


DAMAGES: list[Damage] = [
    _flip,
    _truncate,
    _zero_page,
    _append,
    _delete,
    _swap_files,
    _swap_steps,
    _other_files,
    _other_step,
    _edited_manifest,
]
