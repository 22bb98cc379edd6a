"""The checkpoints of a run: those that carry its id; one of another run is refused."""

from __future__ import annotations

from collections.abc import Callable

from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.origin import read_origin
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.checkpoint import Checkpoint

__all__ = ["load_best", "load_newest", "load_step"]

Warn = Callable[[str], None]


def load_step(directory: RunDirectory, step: int) -> Checkpoint:
    """As `checkpoint.load`."""
    return checkpoints.load(directory.checkpoints, step, run=read_origin(directory).id)


def load_newest(directory: RunDirectory, *, warn: Warn) -> Checkpoint:
    """As `checkpoint.load_newest`."""
    run = read_origin(directory).id
    return checkpoints.load_newest(directory.checkpoints, run=run, warn=warn)


def load_best(directory: RunDirectory, newest: Checkpoint, *, warn: Warn) -> Checkpoint:
    """As `checkpoint.load_best`."""
    run = read_origin(directory).id
    return checkpoints.load_best(directory.checkpoints, newest, run=run, warn=warn)
