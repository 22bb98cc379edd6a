"""The ladder of baselines, and between which of them a score is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

__all__ = ["LUCK_BITS", "Ladder", "LeftOut", "Placement", "Rung"]


@dataclass(frozen=True)
class Rung:
    """One baseline's scores.

    bits_per_byte, accuracy: by split; accuracy only where the baseline predicts single bytes.
    adaptive: it learns from the bytes that it has already been scored on.
    seconds: time it took since the rung before of the same baseline.
    failure: why it has no scores; empty where it has.
    context_length: how many bytes before the next one it uses, where that is what defines it.
    title: what a sentence calls it; empty where that is the name.
    meaning: one sentence that says what it is, for people who do not know it.
    package: the package that is not installed, where that is the failure.
    """

    name: str
    bits_per_byte: Mapping[str, float] = field(default_factory=dict)
    accuracy: Mapping[str, float] = field(default_factory=dict)
    adaptive: bool = False
    seconds: float = 0.0
    failure: str = ""
    context_length: int | None = None
    title: str = ""
    meaning: str = ""
    package: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A baseline that was not scored, or not to its end.

    reason: "excluded" by the recipe or an option; "time", where it would take too long; "stopped",
    where it took much longer than was expected. expected_seconds: None where it is not known.
    """

    name: str
    reason: Literal["excluded", "time", "stopped"]
    expected_seconds: float | None = None


@dataclass(frozen=True)
class Placement:
    """Between which rungs of one kind, static or adaptive, a score is.

    passed: the best rung that the score is better than. next: the nearest that is as good or
    better. rungs: how many there are of the kind.
    """

    split: str
    bits_per_byte: float
    adaptive: bool
    passed: Rung | None
    next: Rung | None
    rungs: int

    @property
    def exists(self) -> bool:
        """Whether there is a rung of the kind."""
        return self.passed is not None or self.next is not None

    @property
    def extreme(self) -> Literal["best", "worst", ""]:
        """Whether the score is better than every rung of the kind, or better than none."""
        if self.next is None and self.passed is not None:
            return "best"
        return "worst" if self.passed is None and self.next is not None else ""

    def words(self, every: str, only: str) -> str:
        """E.g. "better than an order-3 table (2.481), not yet as good as bzip2 (2.253)".

        every: what all rungs together are called, e.g. "every baseline". only: what the rung is
        called if there is one, e.g. "the only baseline". Empty where there is no rung.
        """
        passed, following = self.passed, self.next
        if not self.exists:
            return ""
        if self.rungs == 1:
            score, rung = self.bits_per_byte, passed or following
            assert rung is not None
            worse = "equal to" if score == rung.bits_per_byte[self.split] else "worse than"
            return f"{'better than' if passed else worse} {self._named(rung)}, {only}"
        if following is None:
            return f"better than {every}; the closest is {self._named(passed)}"
        is_equal = self.bits_per_byte == following.bits_per_byte[self.split]
        if passed is None and is_equal:
            return f"equal to the weakest baseline, {self._named(following)}"
        if passed is None:
            return f"worse than {every}; the closest is {self._named(following)}"
        behind = "as good as" if is_equal else "not yet as good as"
        return f"better than {self._named(passed)}, {behind} {self._named(following)}"

    @property
    def meaning(self) -> str:
        """What the rung that the score is better than is, or else the next one; may be empty."""
        rungs = (self.passed, self.next)
        return next((rung.meaning for rung in rungs if rung is not None and rung.meaning), "")

    def _named(self, rung: Rung | None) -> str:
        assert rung is not None
        return f"{rung.title or rung.name} ({rung.bits_per_byte[self.split]:.3f})"


LUCK_BITS = 20.0
"""How many bits below the true source's own code length luck may bring a score: any model that does
not know the source gets that far with a probability of at most 2**-20."""

_METHODS = {
    True: "methods that keep learning while they are scored",
    False: "methods that do not learn while they are scored",
}


@dataclass(frozen=True)
class Ladder:
    """Rungs from worst to best on the held-out bytes, failed ones last.

    floor: bits per byte of the true source by split, where it is known; a score below it is luck,
    a leak or a mistake. left_out: the installed baselines that were not scored.
    """

    rungs: tuple[Rung, ...]
    floor: Mapping[str, float] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()

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
            bits_per_byte,
            adaptive,
            min(passed, key=lambda rung: rung.bits_per_byte[split], default=None),
            max(ahead, key=lambda rung: rung.bits_per_byte[split], default=None),
            len(scored),
        )

    def between(self, bits_per_byte: float, split: str) -> str:
        """A few words on a score among the static rungs, e.g. "between order-2 and order-3".

        Empty where there is no static rung with a score on the split.
        """
        place = self.place(bits_per_byte, split)
        if place.passed is None:
            return f"not better than {place.next.name}" if place.next is not None else ""
        if place.next is None:
            return f"better than {place.passed.name}"
        return f"between {place.passed.name} and {place.next.name}"

    def sentence(
        self, bits_per_byte: float, split: str, *, num_bytes: int, adaptive: bool = False
    ) -> str:
        """A score among the rungs of its own kind, then of the other kind, and above the floor.

        num_bytes: of the split, for what luck can do below the floor.
        """
        return " ".join(
            self.sentences(bits_per_byte, split, num_bytes=num_bytes, adaptive=adaptive)
        )

    def sentences(
        self, bits_per_byte: float, split: str, *, num_bytes: int, adaptive: bool = False
    ) -> list[str]:
        """The parts of `sentence`; the first has the score and what it is compared with first."""
        own, other = (
            self.place(bits_per_byte, split, adaptive=kind) for kind in (adaptive, not adaptive)
        )
        if own.extreme and own.extreme == other.extreme:
            # One sentence for both kinds; the closest baseline is the nearer of the two.
            nearest = min(own, other, key=self._distance)
            both = replace(nearest, rungs=own.rungs + other.rungs)
            parts = [both.words(*self._all_baselines)]
        elif not other.exists:
            parts = [own.words(*self._all_baselines)]
        else:
            parts = [self._among(own, is_first=True), self._among(other)]
        found = [_as_sentence(part) for part in parts if part]
        if not found:
            found = ["There is no baseline to compare it with."]
        if split in self.floor:
            found.append(_as_sentence(self._above_floor(bits_per_byte, split, num_bytes)))
        score = f"{bits_per_byte:.3f} bits per byte (lower is better)."
        return [f"{score} {found[0]}", *found[1:]]

    def is_worst(self, bits_per_byte: float, split: str) -> bool:
        """Whether there are baselines with a score on the split, and it is better than none."""
        places = [self.place(bits_per_byte, split, adaptive=kind) for kind in (False, True)]
        return any(p.next is not None for p in places) and all(p.passed is None for p in places)

    def is_impossible(self, bits_per_byte: float, split: str, num_bytes: int) -> bool:
        """Whether a score is further below the floor than luck brings it: a leak, or a bug."""
        floor = self.floor.get(split, 0.0)
        return (floor - bits_per_byte) * num_bytes > LUCK_BITS

    def _among(self, place: Placement, *, is_first: bool = False) -> str:
        """A placement in words that name its kind, except that of a static score's own rungs."""
        if is_first and not place.adaptive:
            kind = "does not learn while it is scored"
            only = f"the only baseline that was scored and {kind}"
            return place.words(f"every baseline that {kind}", only)
        words = place.words("all of them", "the only one")
        return f"compared with {_METHODS[place.adaptive]}: {words}" if words else ""

    @property
    def _all_baselines(self) -> tuple[str, str]:
        """What every baseline, and the only one, are called; it says so if some have no score."""
        some = any(each.reason != "excluded" for each in self.left_out)
        every = f"every baseline{' that was scored' if some else ''}"
        return every, "the only baseline that was scored"

    def _distance(self, place: Placement) -> float:
        rung = place.passed or place.next
        assert rung is not None
        return abs(rung.bits_per_byte[place.split] - place.bits_per_byte)

    def _above_floor(self, bits_per_byte: float, split: str, num_bytes: int) -> str:
        floor = self.floor[split]
        distance = bits_per_byte - floor
        known = f"the source that generated this text has a score of {floor:.3f}"
        if distance >= 0:
            return f"{known}, which no model can beat except by luck: {distance:.3f} are left"
        if self.is_impossible(bits_per_byte, split, num_bytes):
            return (
                f"{known}, and this one is {-distance:.3f} below it, which luck cannot explain: "
                f"there is a leak or a counting error"
            )
        return f"{known}; this one is {-distance * num_bytes:.1f} bits in total below it, by luck"


def _as_sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
