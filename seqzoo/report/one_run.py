"""What a page says of one run; a part that cannot be made is a sentence that says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from seqzoo.comparison.compare import compare
from seqzoo.comparison.finished import FinishedRun, read_finished_runs, read_logged_run
from seqzoo.comparison.page import part_tables
from seqzoo.errors import SeqzooError
from seqzoo.report.facts import commands_for, environment_of, settings_of
from seqzoo.report.findings import findings
from seqzoo.report.logged import charts_of, samples_of
from seqzoo.report.shown import shown_passage, shown_units
from seqzoo.results.explained import explained
from seqzoo.runs.directory import open_run_directory
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.origin import recipe_content
from seqzoo.runs.run import Run
from seqzoo.terminal.costs import COST_LEVELS
from seqzoo.terminal.format import quoted

__all__ = ["Part", "about_run"]

_NUM_MOMENTS = 6

T = TypeVar("T")


@dataclass(frozen=True)
class Part(Generic[T]):
    """A part of the page, or why it is not there."""

    value: T | None
    reason: str = ""


def about_run(run: Run) -> dict[str, Any]:
    """The values of `one_run.html.j2`. A run without a result has no scores on it."""
    directory = open_run_directory(run.path)
    scored: FinishedRun | None = None
    if directory.result.exists():
        (scored,) = read_finished_runs([run.path])
    logged = scored or read_logged_run(run.path)
    experiment = _part(lambda: run.trained.experiment)

    def with_model(make: Callable[[Experiment], T]) -> Part[T]:
        if experiment.value is None:
            return Part(None, experiment.reason)
        loaded = experiment.value
        return _part(lambda: make(loaded))

    return {
        "sentences": list(explained(scored.result)) if scored else [_unscored(run)],
        "charts": charts_of(logged),
        "samples": samples_of(logged, at_most=_NUM_MOMENTS),
        "levels": COST_LEVELS,
        "passage": with_model(shown_passage),
        "units": with_model(shown_units),
        "parts": list(part_tables(compare([scored]))) if scored else [],
        "findings": _part(lambda: findings(run.trained)),
        "settings": settings_of(run, logged),
        "environment": environment_of(scored.result) if scored else None,
        "commands": list(commands_for(logged)),
        "recipe": recipe_content(directory).decode(),
    }


def _unscored(run: Run) -> str:
    return f"The run is not scored yet. To finish it: seqzoo resume {quoted(run.path)}"


def _part(make: Callable[[], T]) -> Part[T]:
    """What `make` returns. Whatever a plugin raises in it leaves only this part out."""
    try:
        return Part(make())
    except SeqzooError as error:
        return Part(None, str(error))
    except Exception as error:
        return Part(None, f"{type(error).__name__}: {error}")
