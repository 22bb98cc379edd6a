"""The ladder of baselines that a score is read against, and where on it a score stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Ladder", "Placement", "Rung"]


@dataclass(frozen=True)
class Rung:
    """One baseline's scores.

    bits_per_byte, accuracy: by split; accuracy is there where the baseline makes guesses.
    adaptive: it learns from the bytes it has already been scored on.
    seconds: what it took since the rung before of the same baseline.
    failure: why it has no scores; empty where it has.
    """

    name: str
    bits_per_byte: Mapping[str, float] = field(default_factory=dict)
    accuracy: Mapping[str, float] = field(default_factory=dict)
    adaptive: bool = False
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True)
class Placement:
    """Between which rungs a score stands.

    passed: the best rung that the score is below. next: the nearest that it is not below.
    floor: the true source's own bits per byte, where it is known.
    """

    bits_per_byte: float
    split: str
    passed: Rung | None
    next: Rung | None
    floor: float | None = None

    @property
    def sentence(self) -> str:
        """In plain words, e.g. "2.294 bits per byte: below order-3 (2.481), above ..."."""
        places = []
        if self.passed is not None:
            places.append(f"below {self._say(self.passed)}")
        if self.next is not None:
            nothing = "every rung, the next is " if self.passed is None else ""
            places.append(f"above {nothing}{self._say(self.next)}")
        elif self.passed is not None:
            places[0] = f"below every rung, the last was {self._say(self.passed)}"
        if not places:
            places.append("there is no rung to compare it with")
        sentence = f"{self.bits_per_byte:.3f} bits per byte: {', '.join(places)}"
        if self.floor is None:
            return sentence
        distance = self.bits_per_byte - self.floor
        if distance < 0:
            return (
                f"{sentence}; {-distance:.3f} below the true source's own {self.floor:.3f}, which "
                f"only luck or a leak explains"
            )
        return f"{sentence}; {distance:.3f} above the floor, the true source's own {self.floor:.3f}"

    def _say(self, rung: Rung) -> str:
        return f"{rung.name} ({rung.bits_per_byte[self.split]:.3f})"


@dataclass(frozen=True)
class Ladder:
    """Rungs from worst to best on the held-out bytes, failed ones last.

    floor: bits per byte of the true source by split, where it is known: no honest model gets
    below it but by luck.
    """

    rungs: tuple[Rung, ...]
    floor: Mapping[str, float] = field(default_factory=dict)

    def place(self, bits_per_byte: float, split: str) -> Placement:
        """Where a score on a split stands; equal to a rung is not below it."""
        scored = [rung for rung in self.rungs if split in rung.bits_per_byte]
        passed = [rung for rung in scored if bits_per_byte < rung.bits_per_byte[split]]
        ahead = [rung for rung in scored if bits_per_byte >= rung.bits_per_byte[split]]
        return Placement(
            bits_per_byte,
            split,
            min(passed, key=lambda rung: rung.bits_per_byte[split], default=None),
            max(ahead, key=lambda rung: rung.bits_per_byte[split], default=None),
            self.floor.get(split),
        )
