"""The ladder of baselines that a score is read against, and where on it a score stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["LUCK_BITS", "Ladder", "Placement", "Rung"]


@dataclass(frozen=True)
class Rung:
    """One baseline's scores.

    bits_per_byte, accuracy: by split; accuracy is there where the baseline makes guesses.
    adaptive: it learns from the bytes it has already been scored on.
    seconds: what it took since the rung before of the same baseline.
    failure: why it has no scores; empty where it has.
    context_length: how many bytes before the next one it looks at, where that is what it is.
    """

    name: str
    bits_per_byte: Mapping[str, float] = field(default_factory=dict)
    accuracy: Mapping[str, float] = field(default_factory=dict)
    adaptive: bool = False
    seconds: float = 0.0
    failure: str = ""
    context_length: int | None = None


@dataclass(frozen=True)
class Placement:
    """Between which rungs of its own kind, static or adaptive, a score stands.

    passed: the best rung that the score is below. next: the nearest that it is not below.
    """

    split: str
    passed: Rung | None
    next: Rung | None

    @property
    def words(self) -> str:
        """E.g. "below order-3 (2.481), above order-4 (2.253)"; empty where there is no rung."""
        if self.next is None:
            if self.passed is None:
                return ""
            return f"below every one, the last was {self._say(self.passed)}"
        if self.passed is None:
            return f"above every one, the next is {self._say(self.next)}"
        return f"below {self._say(self.passed)}, above {self._say(self.next)}"

    def _say(self, rung: Rung) -> str:
        return f"{rung.name} ({rung.bits_per_byte[self.split]:.3f})"


LUCK_BITS = 20.0
"""How far below the true source's own code length luck may bring a score: a model that does not
know the source gets that far with a probability of at most 2**-20, whatever it is."""


@dataclass(frozen=True)
class Ladder:
    """Rungs from worst to best on the held-out bytes, failed ones last.

    floor: bits per byte of the true source by split, where it is known: no honest model gets
    below it but by luck.
    """

    rungs: tuple[Rung, ...]
    floor: Mapping[str, float] = field(default_factory=dict)

    def place(self, bits_per_byte: float, split: str, *, adaptive: bool = False) -> Placement:
        """Where a score on a split stands; equal to a rung is not below it.

        adaptive: place it among the rungs that adapt; otherwise among those that do not.
        """
        scored = [
            rung for rung in self.rungs if split in rung.bits_per_byte and rung.adaptive == adaptive
        ]
        passed = [rung for rung in scored if bits_per_byte < rung.bits_per_byte[split]]
        ahead = [rung for rung in scored if bits_per_byte >= rung.bits_per_byte[split]]
        return Placement(
            split,
            min(passed, key=lambda rung: rung.bits_per_byte[split], default=None),
            max(ahead, key=lambda rung: rung.bits_per_byte[split], default=None),
        )

    def sentence(
        self, bits_per_byte: float, split: str, *, num_bytes: int, adaptive: bool = False
    ) -> str:
        """Where a score stands, in plain words: among rungs of its own kind, and of the other.

        num_bytes: of the split, for what luck can do below the floor.
        """
        parts = []
        own = self.place(bits_per_byte, split, adaptive=adaptive).words
        other = self.place(bits_per_byte, split, adaptive=not adaptive).words
        if own:
            parts.append(own)
        if other:
            kind = "stay as they are" if adaptive else "learn while they are scored"
            parts.append(f"of those that {kind}, {other}")
        if split in self.floor:
            parts.append(self._above_floor(bits_per_byte, split, num_bytes))
        said = "; ".join(parts) or "there is no rung to compare it with"
        return f"{bits_per_byte:.3f} bits per byte: {said}"

    def is_impossible(self, bits_per_byte: float, split: str, num_bytes: int) -> bool:
        """Whether a score lies further below the floor than luck brings it: a leak, or a bug."""
        floor = self.floor.get(split, 0.0)
        return (floor - bits_per_byte) * num_bytes > LUCK_BITS

    def _above_floor(self, bits_per_byte: float, split: str, num_bytes: int) -> str:
        floor = self.floor[split]
        distance = bits_per_byte - floor
        if distance >= 0:
            return f"{distance:.3f} above the floor, the true source's own {floor:.3f}"
        if self.is_impossible(bits_per_byte, split, num_bytes):
            return (
                f"{-distance:.3f} below the true source's own {floor:.3f}, which no luck explains: "
                f"something leaks, or counts wrongly"
            )
        return f"{-distance * num_bytes:.1f} bits below the true source's own {floor:.3f}, by luck"
