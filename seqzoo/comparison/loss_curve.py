"""The curves that a run logged, over updates, bytes or seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from seqzoo.comparison.finished import LoggedRun
from seqzoo.errors import UsageError

__all__ = ["AXES", "AXIS_NAMES", "Axis", "LossCurve", "Points", "loss_curve", "usual_axis"]

Axis: TypeAlias = Literal["steps", "bytes", "seconds"]
AXES: tuple[Axis, ...] = get_args(Axis)
AXIS_NAMES: dict[Axis, str] = {
    "steps": "updates",
    "bytes": "bytes read",
    "seconds": "seconds of training",
}
Points: TypeAlias = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class LossCurve:
    """What was measured during training: (x, value), in the order of the log.

    training, validation: bits per byte. accuracy: share of validation tokens guessed right.
    """

    training: Points
    validation: Points
    accuracy: Points = ()


def usual_axis(runs: Sequence[LoggedRun]) -> Axis:
    """Seconds of training where all runs have logged them, else updates."""
    return "seconds" if all(run.seconds_at for run in runs) else "steps"


def loss_curve(run: LoggedRun, axis: Axis) -> LossCurve:
    """Every logged value at its place. Raises UsageError for a run whose seconds are not known."""
    lines = run.metrics
    steps = [float(line.step) for line in lines]
    if axis == "steps":
        places = steps
    elif axis == "seconds":
        if lines and not run.seconds_at:
            raise UsageError(
                f"{run.path} has no timing.jsonl, so the seconds of its curves are not known; use "
                f"--x steps."
            )
        places = _interpolated(steps, run.seconds_at)
    else:
        # A line with validation alone does not say how many bytes had been read; others do.
        read = {line.step: line.bytes for line in lines if line.bytes is not None}
        places = _interpolated(steps, read)
    return LossCurve(
        _points(places, [line.bits_per_byte for line in lines]),
        _points(places, [line.validation_bits_per_byte for line in lines]),
        _points(places, [line.validation_accuracy for line in lines]),
    )


def _interpolated(steps: Sequence[float], known: Mapping[int, float]) -> list[float]:
    at, values = zip((0, 0.0), *sorted(known.items()), strict=True)
    return [float(place) for place in np.interp(steps, at, values)]


def _points(places: Sequence[float], values: Sequence[float | None]) -> Points:
    pairs = zip(places, values, strict=True)
    return tuple((x, y) for x, y in pairs if y is not None and math.isfinite(y))
