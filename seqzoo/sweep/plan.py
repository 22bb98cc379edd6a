"""What a sweep runs next: every member in order, or a search and then its finalists."""

from __future__ import annotations

import itertools
import math
import statistics
from abc import ABC, abstractmethod
from collections.abc import Sequence

from seqzoo.sweep.process import MemberRun, MemberState

__all__ = ["Finals", "InOrder", "Plan", "grouped"]


class Plan(ABC):
    """Decides which member starts, or continues, next."""

    @abstractmethod
    def next(self) -> MemberRun | None:
        """A member to start now; None while nothing can be decided, and when all is decided.

        A member that has trained to its `pause_at` is started again with a later one.
        """

    @abstractmethod
    def is_over(self) -> bool:
        """Whether all is decided and has ended."""

    @abstractmethod
    def candidates(self) -> list[MemberRun]:
        """The members that were trained to their end because the plan wanted it."""

    def summary(self) -> list[str]:
        """Sentences on what was found, when all has ended."""
        return []

    @property
    def jobs(self) -> int | None:
        """How many jobs at a time it decides with; None where that does not matter."""
        return None


class InOrder(Plan):
    """Every member, in the order of the grid file."""

    def __init__(self, runs: Sequence[MemberRun]) -> None:
        self._runs = runs

    def next(self) -> MemberRun | None:
        """The first one that waits."""
        return next((run for run in self._runs if run.state is MemberState.WAITING), None)

    def is_over(self) -> bool:
        """Whether each has a result or has failed."""
        return all(run.has_settled for run in self._runs)

    def candidates(self) -> list[MemberRun]:
        """Those with a result."""
        return [run for run in self._runs if run.is_finished]


class Finals(Plan):
    """A search with one seed, then the best settings with the others."""

    def __init__(self, search: Plan, runs: Sequence[MemberRun], count: int) -> None:
        """runs: all members; a search may add to them. count: of the finalists."""
        self._search = search
        self._runs = runs
        self._count = count
        self._finalists: list[list[MemberRun]] | None = None

    def next(self) -> MemberRun | None:
        """As the search says, until all of it has ended."""
        if self._finalists is None:
            if (run := self._search.next()) is not None or not self._search.is_over():
                return run
            self._finalists = self._chosen()
        further = itertools.chain.from_iterable(group[1:] for group in self._finalists)
        return next((run for run in further if run.state is MemberState.WAITING), None)

    def is_over(self) -> bool:
        """Whether the finalists have ended."""
        finalists = self._finalists
        return finalists is not None and all(
            run.has_settled for group in finalists for run in group
        )

    @property
    def jobs(self) -> int | None:
        """As the search."""
        return self._search.jobs

    def candidates(self) -> list[MemberRun]:
        """The finalists with their first seed."""
        return [group[0] for group in self._finalists or ()]

    def summary(self) -> list[str]:
        """The finalists by the mean of their seeds, and whether the first is clearly the best."""
        rows = []
        for group in self._finalists or ():
            scores = [run.final_validation() for run in group if run.is_finished]
            rows.append((statistics.fmean(scores), scores, group[0].name))
        sentences = [
            f"{name}: validation {mean:.4f}"
            + (f" ± {statistics.stdev(scores):.4f}" if len(scores) > 1 else "")
            + f" over {len(scores)} seed{'' if len(scores) == 1 else 's'}"
            for mean, scores, name in sorted(rows)
        ]
        if len(rows) > 1:
            # The first seed chose the finalists, so its scores are too good.
            one, other = (scores[1:] for _, scores, _ in sorted(rows)[:2])
            sentences.append(_verdict(one, other))
        return [*self._search.summary(), *sentences]

    def _chosen(self) -> list[list[MemberRun]]:
        """The best settings of the search; the other seeds of all others are dropped."""
        groups = grouped(self._runs)
        wanted = {id(run) for run in self._search.candidates()}
        ended = [group for group in groups if id(group[0]) in wanted]
        chosen = sorted(ended, key=lambda group: group[0].final_validation())[: self._count]
        for group in groups:
            if group not in chosen:
                for run in group[1:]:
                    run.drop()
        return chosen


def grouped(runs: Sequence[MemberRun]) -> list[list[MemberRun]]:
    """The members of each setting, one for each seed."""
    return [list(group) for _, group in itertools.groupby(runs, key=lambda run: run.member.group)]


_FURTHER = "the seeds other than the first, which chose them"

# The 97.5 % quantile of Student's t with 1, 2, 3, ... degrees of freedom.
_STUDENTS_T = (
    12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip


def _verdict(one: Sequence[float], other: Sequence[float]) -> str:
    """Whether the first is better by Welch's t-test at 5 %."""
    if min(len(one), len(other)) < 2:
        return (
            f"Whether the first is better than the second cannot be said: {_FURTHER}, are fewer "
            f"than two."
        )
    errors = [statistics.variance(scores) / len(scores) for scores in (one, other)]
    difference = statistics.fmean(other) - statistics.fmean(one)
    total = sum(errors)
    if total == 0:
        bound = 0.0
    else:
        parts = zip(errors, (one, other), strict=True)
        degrees = total**2 / sum(error**2 / (len(scores) - 1) for error, scores in parts)
        index = min(int(degrees), len(_STUDENTS_T)) - 1
        bound = _STUDENTS_T[max(0, index)] * math.sqrt(total)
    verdict = "is clear" if difference > bound else "can be chance"
    return (
        f"By {_FURTHER}, the first is {difference:.4f} bits per byte better than the second, ± "
        f"{bound:.4f}: this {verdict}."
    )
