"""How scores fell with the updates: held-out ones of a run or of the trial, and training losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqzoo.doctor.evidence.missing import NO_RUN
from seqzoo.doctor.subject import Missing, Subject

__all__ = ["Curve", "curve_of", "require_run", "run_curve", "training_loss", "training_steps"]

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Curve:
    """Held-out bits per byte and accuracy by step, in order; of_trial: of the trial."""

    steps: tuple[int, ...]
    bits_per_byte: tuple[float, ...]
    accuracy: tuple[float, ...]
    of_trial: bool

    @property
    def best(self) -> int:
        """The index of the lowest score."""
        return self.bits_per_byte.index(min(self.bits_per_byte))

    def fall_over_last(self, share: float, *, least: int = 1) -> float | None:
        """By how many bits per byte the score fell over the last `share` of all updates.

        The score at the beginning of that window is interpolated between its neighbours. None if
        the first score is after it, or fewer than `least` scores are within the window, its ends
        included. With one score in the window, the interpolated fall is above the true one as long
        as the curve flattens: enough to say that it stopped falling, not that it still falls.
        """
        begin = (1 - share) * self.steps[-1]
        within = sum(step >= begin - _ROUNDING for step in self.steps)
        if self.steps[0] > begin + _ROUNDING or within < least:
            return None
        return float(np.interp(begin, self.steps, self.bits_per_byte)) - self.bits_per_byte[-1]


def require_run(subject: Subject) -> None:
    """Raises Missing if there is no run to judge."""
    if not subject.has("run"):
        raise Missing(NO_RUN)


def run_curve(subject: Subject, *, least: int = 2) -> Curve:
    """Of a run. Raises Missing if there is none, or it has fewer than `least` validations."""
    require_run(subject)
    lines = [
        line
        for line in subject.metrics
        if "validation_bits_per_byte" in line and "validation_accuracy" in line
    ]
    if len(lines) < least:
        count = f"{len(lines)} validation{'' if len(lines) == 1 else 's'}"
        raise Missing(
            f"the run has logged {count}, and {least} are needed"
            f"{_more_often('train.validation.every_steps', subject, least)}"
        )
    return Curve(
        tuple(int(line["step"]) for line in lines),
        tuple(line["validation_bits_per_byte"] for line in lines),
        tuple(line["validation_accuracy"] for line in lines),
        of_trial=False,
    )


def curve_of(subject: Subject) -> Curve:
    """Of a run, or of the trial. Raises Missing if it is too short."""
    if subject.is_trained:
        return run_curve(subject)
    points = subject.trial.points
    if len(points) < 3:
        raise Missing("the trial was too short to judge")
    return Curve(
        tuple(point.step for point in points),
        tuple(point.bits_per_token / subject.bytes_per_token for point in points),
        tuple(point.accuracy for point in points),
        of_trial=True,
    )


def training_steps(subject: Subject, *, least: int = 1) -> list[int]:
    """The steps at which a run logged its training loss. Raises Missing if there are too few."""
    require_run(subject)
    steps = [int(line["step"]) for line in subject.metrics if "bits_per_byte" in line]
    if len(steps) < least:
        count = f"{len(steps)} training loss{'' if len(steps) == 1 else 'es'}"
        raise Missing(
            f"the run has logged {count}, and {least} are needed"
            f"{_more_often('train.log_every_steps', subject, least)}"
        )
    return steps


def training_loss(subject: Subject, begin: float, end: float) -> float:
    """Mean training loss of a run in bits per byte over the updates from `begin` to `end`.

    A logged line is the mean over the updates since the line before, so each counts by how many of
    its updates are in the window.
    """
    lines = [line for line in subject.metrics if "bits_per_byte" in line]
    steps = np.array([line["step"] for line in lines], dtype=np.float64)
    before = np.concatenate([[0.0], steps[:-1]])
    updates = np.clip(np.minimum(steps, end) - np.maximum(before, begin), 0.0, None)
    return float(np.average([line["bits_per_byte"] for line in lines], weights=updates))


def _more_often(setting: str, subject: Subject, least: int) -> str:
    """What to set so that the run logs at least so many values; "" if it is too short for them."""
    updates = int(subject.metrics[-1]["step"]) if subject.metrics else 0
    return f"; set {setting} to {updates // least} or less" if updates >= least else ""
