"""The ladder of baselines, and between which of them a score is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["LUCK_BITS", "Ladder", "Placement", "Rung"]


@dataclass(frozen=True)
class Rung:
    """One baseline's scores.

    bits_per_byte, accuracy: by split; accuracy only where the baseline predicts single bytes.
    adaptive: it learns from the bytes that it has already been scored on.
    seconds: time it took since the rung before of the same baseline.
    failure: why it has no scores; empty where it has.
    context_length: how many bytes before the next one it uses, where that is what defines it.
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
    """Between which rungs of one kind, static or adaptive, a score is.

    passed: the best rung that the score is better than. next: the nearest that is as good or
    better.
    """

    split: str
    adaptive: bool
    passed: Rung | None
    next: Rung | None

    @property
    def words(self) -> str:
        """E.g. "between the static baselines order-3 (2.481) and order-4 (2.253)".

        Empty where there is no rung.
        """
        kind = "adaptive" if self.adaptive else "static"
        if self.passed is None and self.next is None:
            return ""
        if self.next is None:
            return f"better than every {kind} baseline, the best is {self._named(self.passed)}"
        if self.passed is None:
            return f"better than no {kind} baseline, the nearest is {self._named(self.next)}"
        return (
            f"between the {kind} baselines {self._named(self.passed)} and {self._named(self.next)}"
        )

    def _named(self, rung: Rung | None) -> str:
        assert rung is not None
        return f"{rung.name} ({rung.bits_per_byte[self.split]:.3f})"


LUCK_BITS = 20.0
"""How many bits below the true source's own code length luck may bring a score: any model that does
not know the source gets that far with a probability of at most 2**-20."""


@dataclass(frozen=True)
class Ladder:
    """Rungs from worst to best on the held-out bytes, failed ones last.

    floor: bits per byte of the true source by split, where it is known; a score below it is luck,
    a leak or a mistake.
    """

    rungs: tuple[Rung, ...]
    floor: Mapping[str, float] = field(default_factory=dict)

    def place(self, bits_per_byte: float, split: str, *, adaptive: bool = False) -> Placement:
        """Between which rungs a score on a split is; an equal score is not better.

        adaptive: place it among the adaptive rungs; otherwise among the static ones.
        """
        scored = [
            rung for rung in self.rungs if split in rung.bits_per_byte and rung.adaptive == adaptive
        ]
        passed = [rung for rung in scored if bits_per_byte < rung.bits_per_byte[split]]
        ahead = [rung for rung in scored if bits_per_byte >= rung.bits_per_byte[split]]
        return Placement(
            split,
            adaptive,
            min(passed, key=lambda rung: rung.bits_per_byte[split], default=None),
            max(ahead, key=lambda rung: rung.bits_per_byte[split], default=None),
        )

    def sentence(
        self, bits_per_byte: float, split: str, *, num_bytes: int, adaptive: bool = False
    ) -> str:
        """A score among the rungs of its own kind, then of the other kind, and above the floor.

        num_bytes: of the split, for what luck can do below the floor.
        """
        kinds = (adaptive, not adaptive)
        parts = [self.place(bits_per_byte, split, adaptive=kind).words for kind in kinds]
        if split in self.floor:
            parts.append(self._above_floor(bits_per_byte, split, num_bytes))
        words = "; ".join(filter(None, parts)) or "there is no baseline to compare it with"
        return f"{bits_per_byte:.3f} bits per byte: {words}"

    def is_impossible(self, bits_per_byte: float, split: str, num_bytes: int) -> bool:
        """Whether a score is further below the floor than luck brings it: a leak, or a bug."""
        floor = self.floor.get(split, 0.0)
        return (floor - bits_per_byte) * num_bytes > LUCK_BITS

    def _above_floor(self, bits_per_byte: float, split: str, num_bytes: int) -> str:
        floor = self.floor[split]
        distance = bits_per_byte - floor
        if distance >= 0:
            return f"{distance:.3f} above the floor, which is the true source's own {floor:.3f}"
        if self.is_impossible(bits_per_byte, split, num_bytes):
            return (
                f"{-distance:.3f} below the true source's own {floor:.3f}, which luck cannot "
                f"explain: there is a leak or a counting error"
            )
        return f"{-distance * num_bytes:.1f} bits below the true source's own {floor:.3f}, by luck"
