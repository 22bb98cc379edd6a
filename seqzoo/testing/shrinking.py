"""The smallest case that still breaks a law, found by a simple search."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from seqzoo.testing.law import Case

__all__ = ["smallest_case"]

_LONGEST_S = 5.0


def smallest_case(case: Case, still_broken: Callable[[Case], bool]) -> Case:
    """A case of smaller numbers and shorter texts for which `still_broken` holds.

    Words and what is neither a number nor bytes stay as they are. A number is never below 1, a
    seed never below 0. The search ends after a few seconds with what it has found.
    """
    ends = time.monotonic() + _LONGEST_S
    improved = True
    while improved:
        improved = False
        for name in case:
            for value in _smaller(name, case[name]):
                if time.monotonic() > ends:
                    return case
                changed = {**case, name: value}
                if still_broken(changed):
                    case, improved = changed, True
                    break
    return case


def _smaller(name: str, value: Any) -> Iterator[Any]:
    """Simpler values, the simplest first."""
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        least = 0 if name == "seed" else 1
        step = value - least
        while step > 0:
            yield value - step
            step //= 2
    elif isinstance(value, bytes):
        size = len(value)
        while size > 0:
            for start in range(0, len(value), size):
                yield value[:start] + value[start + size :]
            size //= 2
