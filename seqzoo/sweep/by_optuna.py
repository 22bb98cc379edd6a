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
from seqzoo.regular_files import MAX_JSON_BYTES, read_bytes
from seqzoo.storage import write_whole
from seqzoo.sweep.plan import Plan
from seqzoo.sweep.process import MemberRun, MemberState
from seqzoo.sweep.search import RangeSection, SearchSection
from seqzoo.terminal.console import warn

__all__ = ["ByOptuna", "Settings", "recorded_settings", "require_optuna"]

Settings = dict[str, Any]

_QUESTIONS = 100
"""How often Optuna is asked for a setting that was not tried before."""


class ByOptuna(Plan):
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
        self._runs = list(firsts)
        self._add = add
        self._record = record
        stored = _read(record) or {"jobs": jobs, "refused": []}
        self._jobs = int(stored["jobs"])
        self._refused = list(stored["refused"])

    def next(self) -> MemberRun | None:
        """A member that waits, or a new one."""
        for run in self._runs:
            if run.state is MemberState.WAITING:
                return run
        count = len(self._settings)
        used = max(0, count - self._jobs + 1)
        if count == self._section.members or not all(run.has_settled for run in self._runs[:used]):
            return None
        known = [
            (settings, run.final_validation() if run.is_finished else math.inf)
            for settings, run in zip(self._settings[:used], self._runs, strict=False)
        ]
        while len(self._refused) < _QUESTIONS:
            failed = [(settings, math.inf) for settings in self._refused]
            found = _asked(
                self._section, [*known, *failed], tried=[*self._settings, *self._refused]
            )
            if found is None:
                return None
            try:
                self._runs.append(self._add([*self._settings, found]))
            except RecipeError as error:  # settings that each are right, but not together
                if not self._settings:
                    raise
                warn(f"{error} Another setting is tried.")
                self._refused.append(found)
            else:
                self._settings.append(found)
            self._write()
            if found in self._settings:
                return self._runs[-1]
        return None

    def _write(self) -> None:
        stored = {
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
        stored = json.loads(read_bytes(record, limit=MAX_JSON_BYTES))
        if not all(isinstance(each, dict) for each in (*stored["settings"], *stored["refused"])):
            raise ValueError("a setting is not a mapping")
        return {key: stored[key] for key in ("seed", "ranges", "jobs", "settings", "refused")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{record} cannot be read ({error}); remove it, and the search begins again with the "
            f"members that it finds."
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
