"""The plan of successive halving: which member continues is decided from recorded scores."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqzoo.errors import UsageError
from seqzoo.recipes.load import Recipe
from seqzoo.regular_files import read_json
from seqzoo.storage import write_whole
from seqzoo.sweep.halving import AshaSection, Stretch, last_stretch, next_stretch, pauses
from seqzoo.sweep.plan import Plan
from seqzoo.sweep.process import MemberRun, MemberState

__all__ = ["Halving", "pauses_of"]

_KIND = "asha"
_ENDED = (
    MemberState.PAUSED,
    MemberState.FINISHED,
    MemberState.SKIPPED,
    MemberState.FAILED,
    MemberState.DROPPED,
)


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
        self._pauses = [pauses_of(run.name, run.recipe, section) for run in runs]
        self._jobs, self._decided = self._read(jobs)
        self._looked_at = 0
        self._started: set[Stretch] = set()
        self._scores: dict[Stretch, float] = {}
        self._is_over = False

    def next(self) -> MemberRun | None:
        """The next stretch of a member."""
        while (stretch := self._stretch()) is not None:
            self._looked_at += 1
            run = self._runs[stretch.member]
            if self._score(stretch) is None:
                run.pause_at = self._pause(stretch)
                run.state = MemberState.WAITING
                self._started.add(stretch)
                return run
            if run.state is MemberState.WAITING:  # it was trained so far in an earlier sweep
                run.state = MemberState.PAUSED
        return None

    @property
    def jobs(self) -> int:
        """As when the search began."""
        return self._jobs

    def is_over(self) -> bool:
        """Whether nothing is left to decide."""
        return self._is_over

    def candidates(self) -> list[MemberRun]:
        """The members that were continued to their end, and are there."""
        last = self._section.rungs
        wanted = [each.member for each in self._decided if each.rung == last]
        return [self._runs[member] for member in sorted(wanted) if self._runs[member].is_finished]

    def summary(self) -> list[str]:
        """How many were trained to their end, for which share of the updates."""
        whole = sum(run.recipe.train.budget.steps or 0 for run in self._runs)
        trained = sum(run.latest.get("step", 0) for run in self._runs)
        ended = len(self.candidates())
        return [
            f"{ended} of {len(self._runs)} members were trained to their end, with "
            f"{trained / whole:.0%} of the updates of all; the others stopped early."
        ]

    def _stretch(self) -> Stretch | None:
        """The next one: decided before the sweep was stopped, or decided now."""
        if self._looked_at < len(self._decided):
            stretch = self._decided[self._looked_at]
            before = Stretch(stretch.member, stretch.rung - 1)
            return stretch if stretch.rung == 0 or self._score(before) is not None else None
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
            self._is_over = True
            for run in self._runs:
                run.drop()
        return found

    def _pause(self, stretch: Stretch) -> int | None:
        own = self._pauses[stretch.member]
        return own[stretch.rung] if stretch.rung < len(own) else None

    def _score(self, stretch: Stretch) -> float | None:
        """The best validation up to the end of a stretch, as a run's result is of its best weights.

        Infinite if the member failed, None if the stretch is open.
        While its job runs there is none, also where its metrics have the validation already: the
        member must have ended before it can start again.
        """
        if stretch in self._scores:
            return self._scores[stretch]
        run, pause = self._runs[stretch.member], self._pause(stretch)
        if stretch in self._started and run.state not in _ENDED:
            return None
        score = None
        if pause is not None and pause in run.validations:
            score = min(found for step, found in run.validations.items() if step <= pause)
        elif run.is_finished:  # its budget was spent before the pause
            score = run.final_validation()
        elif run.state is MemberState.FAILED:
            score = math.inf
        if score is not None:
            self._scores[stretch] = score
        return score

    def _read(self, jobs: int) -> tuple[int, list[Stretch]]:
        try:
            stored = read_json(self._record)
            kind = stored["kind"]
            if kind == _KIND:
                decided = [Stretch(*map(int, row)) for row in stored["decisions"]]
                before = {key: stored[key] for key in ("members", "pauses", "asha", "jobs")}
        except FileNotFoundError:
            return jobs, []
        except OSError as error:
            raise UsageError(f"{self._record} cannot be read: {error}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{self._record} is damaged; remove it, and the same scores decide again."
            ) from error
        if kind != _KIND or not _continues(before, self._header(jobs)):
            raise UsageError(
                f"{self._record} has the decisions of another search; give the sweep another name, "
                f"or remove that file."
            )
        return int(before["jobs"]), decided

    def _header(self, jobs: int) -> dict[str, Any]:
        return {
            "kind": _KIND,
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


def _continues(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a search is the one that was recorded, with further members or without."""
    count = len(before["members"])
    lists = all(now[key][:count] == before[key] for key in ("members", "pauses"))
    return lists and now["asha"] == before["asha"]


def pauses_of(name: str, recipe: Recipe, section: AshaSection) -> tuple[int, ...]:
    """The steps at which a member pauses; raises UsageError where it has no such validations."""
    steps, every = recipe.train.budget.steps, recipe.train.validation.every_steps
    if steps is None or every == 0:
        raise UsageError(
            f"asha compares members at their validations, so it needs train.budget.steps and "
            f"train.validation.every_steps; set them for {name}."
        )
    found = pauses(section, steps=steps, every_steps=every)
    if len(found) < section.rungs:
        most = max(1, steps // section.factor**section.rungs)
        raise UsageError(
            f"{name} has {steps // every} validations in {steps} updates, too few for "
            f"{section.rungs} rungs; set train.validation.every_steps to {most} or less."
        )
    return found
