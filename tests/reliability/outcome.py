"""What a trial found: how many cases, which failed and how to repeat them, and figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

__all__ = ["Outcome", "Trial"]

Trial: TypeAlias = "Callable[[int, int, Path], Outcome]"
"""(number of cases, seed, an empty folder) -> what was found."""


@dataclass
class Outcome:
    """cases: how many were tried. failures: a sentence each. notes: measured figures."""

    cases: int = 0
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def require(self, holds: bool, failure: str) -> None:
        """Record a failure of the present case if something does not hold."""
        if not holds:
            self.failures.append(failure)

    @contextmanager
    def case(self, name: str) -> Iterator[None]:
        """Count a case; any exception in it is a failure, with the name of the case."""
        self.cases += 1
        before = len(self.failures)
        try:
            yield
        except Exception as error:
            self.failures.append(f"{type(error).__name__}: {' '.join(str(error).split()):.300}")
        self.failures[before:] = [f"{name}: {failure}" for failure in self.failures[before:]]
