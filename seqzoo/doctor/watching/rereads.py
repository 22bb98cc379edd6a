"""Which passes of a loop read a batch again on purpose: such a batch counts once."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import groupby
from typing import TypeVar

from seqzoo.doctor.watching.pairs import Pair
from seqzoo.doctor.watching.visit import Visit

__all__ = ["are_read_twice", "read_once"]

T = TypeVar("T")

_DISTINCT = 16
"""Fewer tokens may be equal by chance."""


def are_read_twice(contents: Iterable[Hashable]) -> bool:
    """Whether each content, the last one aside, occurs exactly twice in a row."""
    runs = [len(list(group)) for _, group in groupby(contents)]
    return len(runs) > 1 and set(runs[:-1]) == {2} and runs[-1] <= 2


def read_once(visit: Visit, pairs: Sequence[Pair]) -> list[Pair]:
    """One pair for each batch that a loop reads several times for one update.

    A closure may be called any number of times, and a loss may be made of several passes of one
    batch (R-Drop). Two backward passes for a step, and two steps in a row, are of methods that
    look at each batch twice (SAM); more than two are of a batch that is not replaced.
    """
    steps = [each for each in visit.steps if each.ended]
    ends = [each.ended for each in steps]
    step = {id(pair): bisect(ends, pair.seen.used_by or 0) for pair in pairs}
    closures = {number for number, each in enumerate(steps) if each.has_closure}
    pairs = _first_of_each(
        pairs,
        lambda pair: (pair.seen.used_by, pair.seen.content) if _is_long(pair) else id(pair),
    )
    times = Counter((step[id(pair)], pair.seen.content) for pair in pairs)

    def update(pair: Pair) -> Hashable:
        number = step[id(pair)]
        together = (number, pair.seen.content)
        is_twice = _is_long(pair) and times[together] == 2
        return together if number in closures or is_twice else id(pair)

    pairs = _first_of_each(pairs, update)
    if all(map(_is_long, pairs)) and are_read_twice(pair.seen.content for pair in pairs):
        return pairs[::2]
    return pairs


def _is_long(pair: Pair) -> bool:
    return pair.seen.ids is not None and pair.seen.ids.numel() >= _DISTINCT


def _first_of_each(items: Sequence[T], key: Callable[[T], Hashable]) -> list[T]:
    found: dict[Hashable, T] = {}
    for each in items:
        found.setdefault(key(each), each)
    return list(found.values())
