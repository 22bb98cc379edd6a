"""Each file operation of a save fails in turn: the old or the new checkpoint is whole.

In every case the save either returns, and the new checkpoint loads, or raises an error for the
user, and one of the two loads. The next start leaves nothing unfinished.
"""

from __future__ import annotations

import random
from pathlib import Path
from unittest import mock

import torch
from file_operations import failing
from made_states import RUN_STATE, TRAINING_STATE
from outcome import Outcome

from seqzoo.errors import DiskFault
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.checkpoint import Checkpoint

__all__ = ["checkpoint_of", "save", "trial"]

KINDS = ("EIO", "ENOSPC", "short")


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """Up to `count` cases of (operation, kind, once or from then on); all if there are fewer."""
    found = Outcome()
    with failing(-1, "EIO", stays=False) as operations:
        _saves(folder / "whole", 3)
    last = _operations_of_the_last(folder / "counted")
    cases = [
        (at, kind, stays)
        for at in last
        for kind in KINDS
        for stays in (False, True)
        if kind != "short" or operations[at].kind == "write"
    ]
    if count < len(cases):
        cases = random.Random(seed).sample(cases, count)
    for at, kind, stays in cases:
        operation = operations[at]
        how = "and all after it fail" if stays else "fails"
        name = Path(operation.path).name
        with found.case(f"operation {at - last[0]} ({operation.kind} {name}) {how} with {kind}"):
            _fail(found, folder / f"{at}-{kind}-{stays}", at - last[0], kind, stays=stays)
    found.notes.append(f"a save makes {len(last)} operations")
    return found


def _fail(found: Outcome, folder: Path, at: int, kind: str, *, stays: bool) -> None:
    _saves(folder, 2)
    is_saved = True
    with failing(at, kind, stays=stays), mock.patch("seqzoo.training.checkpoint.sleep"):
        try:
            save(folder, 3)
        except DiskFault:
            is_saved = False
        except Exception as error:
            found.require(False, f"{type(error).__name__} instead of DiskFault: {error}")
    checkpoints.clear_unfinished(folder)
    left = [path.name for path in folder.rglob("*.tmp")]
    found.require(not left, f"{left} are left after the next start")
    said: list[str] = []
    loaded = checkpoints.load_newest(folder, warn=said.append)
    found.require(loaded.step in ((3,) if is_saved else (2, 3)), f"step {loaded.step} is loaded")
    found.require(not said, f"a checkpoint is damaged: {said}")
    expected = checkpoint_of(loaded.step)
    for part in ("model", "optimizer", "carried", "generators"):
        ours, theirs = getattr(loaded, part), getattr(expected, part)
        same = ours.keys() == theirs.keys() and all(
            torch.equal(ours[name], theirs[name]) for name in theirs
        )
        found.require(same, f"{part} of step {loaded.step} has other values")


def checkpoint_of(step: int) -> Checkpoint:
    """A small checkpoint whose values depend on its step."""

    def tensors(part: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(10 * step + part)
        return {f"{part}.{name}": torch.randn(7, 5, generator=generator) for name in "ab"}

    state = {**RUN_STATE, **TRAINING_STATE, "tokens_seen": 7 * step}
    return Checkpoint(step, tensors(1), tensors(2), tensors(3), tensors(4), state)


def save(folder: Path, step: int) -> Path:
    """Save that checkpoint, and keep two."""
    return checkpoints.save(folder, checkpoint_of(step), keep=2, best=None)


def _saves(folder: Path, steps: int) -> None:
    for step in range(1, steps + 1):
        save(folder, step)


def _operations_of_the_last(folder: Path) -> range:
    """Numbers of the operations of the third save, which also removes the first checkpoint."""
    with failing(-1, "EIO", stays=False) as before:
        _saves(folder, 2)
        first = len(before)
        save(folder, 3)
    return range(first, len(before))
