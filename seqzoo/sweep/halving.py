"""Asynchronous successive halving: most members stop early, the best ones continue.

Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", Algorithm 2. A member that
continues is resumed from its checkpoint, so its result is that of a run that was never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from pydantic import Field

from seqzoo.recipes.sections import Section

__all__ = ["AshaSection", "Stretch", "last_stretch", "next_stretch", "pauses"]


class AshaSection(Section):
    """Which members stop early. Their validation is compared at shares of their budget."""

    factor: int = Field(
        default=3, ge=2, description="one in so many continues, with so many times the updates"
    )
    rungs: int = Field(
        default=2, ge=1, description="how often members are compared before their budget is spent"
    )
    noise: float = Field(
        default=0.01,
        ge=0,
        description="bits per byte by which seeds differ: a member that is so close to the last "
        "one that continues does so too",
    )


class Stretch(NamedTuple):
    """A piece of a member's training: up to a rung, or to its end."""

    member: int
    rung: int


def pauses(section: AshaSection, *, steps: int, every_steps: int) -> tuple[int, ...]:
    """The steps at which a member with so many updates is compared, at its own validations.

    Rungs that fall on the same validation are one; a rung that falls on the end is left out.
    """
    found = []
    for rung in range(section.rungs):
        share = section.factor ** (rung - section.rungs)
        # A validation may be a little later than the share, but not before the first one.
        found.append(max(1, round(share * steps / every_steps)) * every_steps)
    return tuple(dict.fromkeys(step for step in found if step < steps))


def next_stretch(
    section: AshaSection,
    members: int,
    scores: Mapping[Stretch, float],
    started: Collection[Stretch],
    *,
    rungs: int,
) -> Stretch | None:
    """What to train next; None if nothing can be decided with these scores.

    scores: validation bits per byte at the end of stretches; infinite for a member that failed.
    started: all that were begun, with or without a score. rungs: the last stretch has this number.
    """
    for rung in reversed(range(rungs)):
        known = _ranked({at.member: s for at, s in scores.items() if at.rung == rung})
        for member in _promoted(known, len(known) // section.factor, section.noise):
            if (further := Stretch(member, rung + 1)) not in started:
                return further
    for member in range(members):
        if (first := Stretch(member, 0)) not in started:
            return first
    return None


def last_stretch(
    section: AshaSection,
    scores: Mapping[Stretch, float],
    started: Collection[Stretch],
    *,
    rungs: int,
) -> Stretch | None:
    """The next step of the best member where nothing else is left and none was trained to its end.

    Few members never fill the upper rungs. A member that failed later is not the best one.
    """
    if any(at.rung == rungs and score < math.inf for at, score in scores.items()):
        return None
    failed = {at.member for at, score in scores.items() if score == math.inf}
    for rung in reversed(range(rungs)):
        known = _ranked(
            {
                at.member: score
                for at, score in scores.items()
                if at.rung == rung and at.member not in failed
            }
        )
        for member in _promoted(known, min(1, len(known)), section.noise):
            if (further := Stretch(member, rung + 1)) not in started:
                return further
    return None


def _ranked(scores: Mapping[int, float]) -> Sequence[tuple[float, int]]:
    return sorted((score, member) for member, score in scores.items())


def _promoted(ranked: Sequence[tuple[float, int]], count: int, noise: float) -> list[int]:
    """The first `count`, and those that are not worse than the last of them by more than noise."""
    if count == 0:
        return []
    cut = ranked[count - 1][0] + noise
    return [member for score, member in ranked if score <= cut and score < math.inf]
