"""What a sweep runs next: every member in order, the survivors of halving, then the finalists."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqzoo.errors import UsageError
from seqzoo.regular_files import MAX_JSON_BYTES, read_bytes
from seqzoo.storage import write_whole
from seqzoo.sweep.halving import AshaSection, Stretch, last_stretch, next_stretch, pauses
from seqzoo.sweep.process import MemberRun, MemberState

__all__ = ["Finals", "Halving", "InOrder", "Plan", "grouped"]


class Plan(ABC):
    """Decides which member starts, or continues, next."""

    @abstractmethod
    def next(self) -> MemberRun | None:
        """A member to start now; None while nothing can be decided, and when all is decided.

        A member that has trained to its `pause_at` is started again with a later one.
        """

    def summary(self) -> list[str]:
        """Sentences on what was found, when all has ended."""
        return []


class InOrder(Plan):
    """Every member, in the order of the grid file."""

    def __init__(self, runs: Sequence[MemberRun]) -> None:
        self._runs = runs

    def next(self) -> MemberRun | None:
        """The first one that waits."""
        return next((run for run in self._runs if run.state is MemberState.WAITING), None)


class Halving(Plan):
    """Asynchronous successive halving, with decisions that do not depend on the clock.

    With J jobs at a time, decision N is made from the scores of the first N - J + 1, however fast
    the later ones were. So the same sweep decides the same on any machine, and after a kill.
    """

    def __init__(
        self, runs: Sequence[MemberRun], section: AshaSection, record: Path, *, jobs: int
    ) -> None:
        """record: the file with the decisions. Raises UsageError where asha is not possible."""
        self._runs = runs
        self._section = section
        self._record = record
        self._pauses = [_pauses_of(run, section) for run in runs]
        self._jobs, self._decided = self._read(jobs)
        self._begun = 0

    def next(self) -> MemberRun | None:
        """The next stretch of a member."""
        while (stretch := self._stretch()) is not None:
            self._begun += 1
            run = self._runs[stretch.member]
            run.pause_at = self._pause(stretch)
            if self._score(stretch) is None:
                run.state = MemberState.WAITING
                return run
            if run.state is MemberState.WAITING:  # it was trained so far in an earlier sweep
                run.state = MemberState.PAUSED
        return None

    def summary(self) -> list[str]:
        """How many were trained to their end, for which share of the updates."""
        whole = sum(run.recipe.train.budget.steps or 0 for run in self._runs)
        trained = sum(run.latest.get("step", 0) for run in self._runs)
        ended = sum(run.is_finished for run in self._runs)
        return [
            f"{ended} of {len(self._runs)} members were trained to their end, with "
            f"{trained / whole:.0%} of the updates of all; the others stopped early."
        ]

    def _stretch(self) -> Stretch | None:
        """The next one: decided before the sweep was stopped, or decided now."""
        if self._begun < len(self._decided):
            stretch = self._decided[self._begun]
            return stretch if self._has_ended_before(stretch) else None
        if (found := self._decide()) is not None:
            self._decided.append(found)
            self._write()
        return found

    def _decide(self) -> Stretch | None:
        count = len(self._decided)
        scores: dict[Stretch, float] = {}
        for known in range(max(0, count - self._jobs + 1), count + 1):
            for stretch in self._decided[:known]:
                score = self._score(stretch)
                if score is None:
                    return None
                scores[stretch] = score
            if found := next_stretch(
                self._section, len(self._runs), scores, self._decided, rungs=self._section.rungs
            ):
                return found
        found = last_stretch(self._section, scores, self._decided, rungs=self._section.rungs)
        if found is None:
            for run in self._runs:
                if not run.is_finished:
                    run.drop()
        return found

    def _pause(self, stretch: Stretch) -> int | None:
        own = self._pauses[stretch.member]
        return own[stretch.rung] if stretch.rung < len(own) else None

    def _score(self, stretch: Stretch) -> float | None:
        """The validation at the end of a stretch; infinite if the member failed, None if open."""
        run, pause = self._runs[stretch.member], self._pause(stretch)
        if pause is not None and pause in run.validations:
            return run.validations[pause]
        if run.state is MemberState.FAILED:
            return math.inf
        if pause is None and run.is_finished:
            return run.final_validation()
        return None

    def _has_ended_before(self, stretch: Stretch) -> bool:
        """Whether the earlier stretch of the same member has ended."""
        return (
            stretch.rung == 0 or self._score(Stretch(stretch.member, stretch.rung - 1)) is not None
        )

    def _read(self, jobs: int) -> tuple[int, list[Stretch]]:
        ours = self._header(jobs)
        try:
            text = read_bytes(self._record, limit=MAX_JSON_BYTES).decode()
        except FileNotFoundError:
            return jobs, []
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{self._record} cannot be read: {error}.") from error
        try:
            stored = json.loads(text)
            decided = [Stretch(*map(int, row)) for row in stored.pop("decisions")]
            of_before = int(stored["jobs"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{self._record} is damaged; remove it, and the same scores decide again."
            ) from error
        if stored != {**ours, "jobs": of_before}:
            raise UsageError(
                f"{self._record} has the decisions of another search; give the sweep another name, "
                f"or remove that file."
            )
        return of_before, decided

    def _header(self, jobs: int) -> dict[str, Any]:
        return {
            "members": [run.name for run in self._runs],
            "pauses": [list(own) for own in self._pauses],
            "asha": self._section.model_dump(),
            "jobs": jobs,
        }

    def _write(self) -> None:
        decisions = [list(stretch) for stretch in self._decided]
        write_whole(
            self._record,
            json.dumps({**self._header(self._jobs), "decisions": decisions}, indent=1) + "\n",
        )


class Finals(Plan):
    """A search with one seed, then the best settings with the others."""

    def __init__(self, search: Plan, runs: Sequence[MemberRun], count: int) -> None:
        """runs: all members; a search may add to them. count: of the finalists."""
        self._search = search
        self._runs = runs
        self._count = count
        self.finalists: list[list[MemberRun]] | None = None

    def next(self) -> MemberRun | None:
        """As the search says, until all of it has ended."""
        if self.finalists is None:
            if (run := self._search.next()) is not None:
                return run
            groups = grouped(self._runs)
            if not all(group[0].has_settled for group in groups):
                return None
            done = [group for group in groups if group[0].is_finished]
            done.sort(key=lambda group: group[0].final_validation())
            self.finalists = done[: self._count]
            for group in groups:
                if group not in self.finalists:
                    for run in group[1:]:
                        run.drop()
        further = itertools.chain.from_iterable(group[1:] for group in self.finalists)
        return next((run for run in further if run.state is MemberState.WAITING), None)

    def summary(self) -> list[str]:
        """The finalists by the mean of their seeds, and whether the first is clearly the best."""
        rows = []
        for group in self.finalists or ():
            scores = [run.final_validation() for run in group if run.is_finished]
            rows.append((statistics.fmean(scores), scores, group[0].name))
        sentences = [
            f"{name}: validation {mean:.4f}"
            + (f" ± {statistics.stdev(scores):.4f}" if len(scores) > 1 else "")
            + f" over {len(scores)} seed{'' if len(scores) == 1 else 's'}"
            for mean, scores, name in sorted(rows)
        ]
        if len(rows) > 1:
            (one, ours, _), (other, theirs, _) = sorted(rows)[:2]
            if len(ours) > 1 and len(theirs) > 1:
                error = math.hypot(*(statistics.stdev(s) / len(s) ** 0.5 for s in (ours, theirs)))
                verdict = "is clear" if other - one > 2 * error else "can be chance"
                sentences.append(
                    f"The first is {other - one:.4f} bits per byte better than the second, which "
                    f"{verdict} (two standard errors are {2 * error:.4f})."
                )
        return [*self._search.summary(), *sentences]


def grouped(runs: Sequence[MemberRun]) -> list[list[MemberRun]]:
    """The members of each setting, one for each seed."""
    return [list(group) for _, group in itertools.groupby(runs, key=lambda run: run.member.group)]


def _pauses_of(run: MemberRun, section: AshaSection) -> tuple[int, ...]:
    train = run.recipe.train
    steps, every = train.budget.steps, train.validation.every_steps
    if steps is None or every == 0:
        raise UsageError(
            f"asha compares members at their validations, so it needs train.budget.steps and "
            f"train.validation.every_steps; set them for {run.name}."
        )
    found = pauses(section, steps=steps, every_steps=every)
    if len(found) < section.rungs:
        most = max(1, steps // section.factor**section.rungs)
        raise UsageError(
            f"{run.name} has {steps // every} validations in {steps} updates, too few for "
            f"{section.rungs} rungs; set train.validation.every_steps to {most} or less."
        )
    return found
