"""How a held-out score fell: a run's logged validations, or the points of the trial."""

from __future__ import annotations

from dataclasses import dataclass

from seqzoo.doctor.subject import Missing, Subject

__all__ = ["Curve", "curve_of", "run_curve"]


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

    def gain_of_last(self, share: float) -> float:
        """How many bits per byte the score fell over the last `share` of the steps."""
        begin = self.steps[-1] - share * (self.steps[-1] - self.steps[0])
        start = max(i for i, step in enumerate(self.steps) if step <= begin + 1e-9)
        return self.bits_per_byte[start] - self.bits_per_byte[-1]


def run_curve(subject: Subject, *, least: int = 2) -> Curve:
    """Of a run. Raises Missing if there is none, or it has fewer than `least` validations."""
    if not subject.has("run"):
        raise Missing("there is no run yet")
    lines = [line for line in subject.metrics if "validation_bits_per_byte" in line]
    if len(lines) < least:
        raise Missing(f"the run has logged {len(lines)} validations, and {least} are needed")
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
