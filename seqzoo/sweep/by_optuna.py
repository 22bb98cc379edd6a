"""A search that learns from the members that have ended: Optuna is asked for each new setting.

Nothing of Optuna is stored. The study is made again for every question, from the settings in the
record and the scores in the run folders, so that a killed search asks the same questions again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqzoo.errors import EnvironmentFault, RecipeError, UsageError
from seqzoo.regular_files import read_json
from seqzoo.storage import write_whole
from seqzoo.sweep.plan import InOrder
from seqzoo.sweep.process import MemberRun
from seqzoo.sweep.search import RangeSection, SearchSection
from seqzoo.terminal.console import warn

__all__ = ["ByOptuna", "Settings", "recorded_settings", "require_optuna"]

Settings = dict[str, Any]

_KIND = "optuna"
_QUESTIONS = 100
"""How often Optuna is asked for a setting that was not tried before."""
_MOST_REFUSED = 10
"""How many settings the recipe may refuse before one was accepted."""


class ByOptuna(InOrder):
    """Asks for a setting whenever there is room, until there are as many as the section says.

    With J jobs at a time, setting N is asked with the scores of the first N - J + 1, so that it
    does not depend on which of the later ones has ended.
    """

    def __init__(
        self,
        section: SearchSection,
        settings: Sequence[Settings],
        firsts: Sequence[MemberRun],
        add: Callable[[Sequence[Settings]], MemberRun],
        record: Path,
        *,
        jobs: int,
    ) -> None:
        """settings, firsts: what was asked before, and its members with the first seed.

        add: makes the member of the last of some settings, and returns it. record: the file that
        the settings are kept in.
        """
        self._section = section
        self._settings = list(settings)
        self._asked_runs = list(firsts)
        super().__init__(self._asked_runs)
        self._add = add
        self._record = record
        stored = _read(record) or {"jobs": jobs, "refused": []}
        self._jobs = int(stored["jobs"])
        self._refused = list(stored["refused"])
        self._has_more = True

    def next(self) -> MemberRun | None:
        """A member that waits, or a new one."""
        while (found := super().next()) is None and self._may_ask():
            self._ask()
        return found

    @property
    def jobs(self) -> int:
        """As when the search began."""
        return self._jobs

    def is_over(self) -> bool:
        """Whether all were asked for and have ended."""
        is_asked = len(self._settings) >= self._section.members or not self._has_more
        return is_asked and super().is_over()

    def summary(self) -> list[str]:
        """Says if there were fewer settings than wanted."""
        if (count := len(self._settings)) >= self._section.members:
            return []
        return [
            f"{count} of {self._section.members} settings were tried: Optuna found no others in "
            f"these ranges that are different and that the recipe accepts."
        ]

    def _may_ask(self) -> bool:
        return (
            len(self._settings) < self._section.members
            and self._has_more
            and all(run.has_settled for run in self._asked_runs[: self._num_used])
        )

    @property
    def _num_used(self) -> int:
        """How many of the first settings the next question uses the scores of."""
        return max(0, len(self._settings) - self._jobs + 1)

    def _ask(self) -> None:
        """Ask for one setting, and make its members; their folders may have a result already."""
        used = self._num_used
        known = [
            (settings, run.final_validation() if run.is_finished else math.inf)
            for settings, run in zip(self._settings[:used], self._asked_runs[:used], strict=True)
        ]
        known += [(settings, math.inf) for settings in self._refused]
        found = _asked(self._section, known, tried=[*self._settings, *self._refused])
        if found is None:
            self._has_more = False
            return
        try:
            run = self._add([*self._settings, found])
        except RecipeError as error:  # settings that each are right, but not together
            self._refused.append(found)
            if len(self._refused) > _MOST_REFUSED and not self._settings:
                raise
            warn(f"{error} Another setting is tried.")
            self._has_more = len(self._refused) < _QUESTIONS
        else:
            self._settings.append(found)
            self._asked_runs.append(run)
        self._write()

    def _write(self) -> None:
        stored = {
            "kind": _KIND,
            "seed": self._section.seed,
            "ranges": _plain(self._section),
            "jobs": self._jobs,
            "settings": self._settings,
            "refused": self._refused,
        }
        write_whole(self._record, json.dumps(stored, indent=1) + "\n")


def require_optuna() -> Any:
    """The module. Raises EnvironmentFault where it is not installed."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            "search.method 'optuna' needs Optuna; install it with: pip install 'seqzoo[optuna]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def recorded_settings(record: Path, section: SearchSection) -> list[Settings]:
    """What was asked in an earlier sweep; raises UsageError if it was asked by another section."""
    stored = _read(record)
    if stored is None:
        return []
    if stored["seed"] != section.seed or stored["ranges"] != _plain(section):
        raise UsageError(
            f"{record} has the settings of another search; give the sweep another name, or remove "
            f"that file."
        )
    return list(stored["settings"])


def _plain(section: SearchSection) -> dict[str, Any]:
    return {key: each.model_dump(mode="json") for key, each in section.ranges.items()}


def _read(record: Path) -> Mapping[str, Any] | None:
    try:
        stored = read_json(record)
        if stored["kind"] != _KIND:
            raise ValueError(f"it has the decisions of {stored['kind']}")
        if not all(isinstance(each, dict) for each in (*stored["settings"], *stored["refused"])):
            raise ValueError("a setting is not a mapping")
        return {key: stored[key] for key in ("seed", "ranges", "jobs", "settings", "refused")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{record} cannot be read ({error}); give the sweep another name, or remove that file: "
            f"the same questions are asked again, and what is trained is not trained again."
        ) from error


def _asked(
    section: SearchSection,
    known: Sequence[tuple[Settings, float]],
    *,
    tried: Sequence[Settings],
) -> Settings | None:
    """A setting that was not tried; None where Optuna has no other one.

    known: with their scores, infinite for a member that failed. The sampler is a new one for each
    question, with a seed of its own.
    """
    optuna = require_optuna()
    seed = int(np.random.SeedSequence([section.seed, len(tried)]).generate_state(1)[0])
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    distributions = {key: _distribution(optuna, each) for key, each in section.ranges.items()}
    for settings, score in known:
        study.add_trial(
            optuna.trial.create_trial(
                params={
                    key: each.values.index(settings[key]) if each.values else settings[key]
                    for key, each in section.ranges.items()
                },
                distributions=distributions,
                value=score,
            )
        )
    for _ in range(_QUESTIONS):
        trial = study.ask(distributions)
        settings = {
            key: each.values[trial.params[key]] if each.values else each.short(trial.params[key])
            for key, each in section.ranges.items()
        }
        if settings not in tried:
            return settings
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return None


def _distribution(optuna: Any, section: RangeSection) -> Any:
    kinds = optuna.distributions
    if section.values is not None:
        return kinds.CategoricalDistribution(tuple(range(len(section.values))))
    if section.is_whole:
        return kinds.IntDistribution(
            section.low, section.high, log=section.log, step=section.step or 1
        )
    return kinds.FloatDistribution(section.low, section.high, log=section.log)
