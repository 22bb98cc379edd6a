"""What a page says of one run; a part that cannot be made is a sentence that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from seqzoo.comparison.compare import compare
from seqzoo.comparison.finished import FinishedRun, read_logged_run
from seqzoo.comparison.page import part_tables
from seqzoo.errors import SeqzooError
from seqzoo.report.facts import changes_of, commands_for, environment_of, settings_of
from seqzoo.report.findings import findings
from seqzoo.report.logged import charts_of, samples_of
from seqzoo.report.shown import shown_passage, shown_units
from seqzoo.report.state import state_in_words
from seqzoo.results.explained import explained
from seqzoo.results.note import read_note
from seqzoo.runs.directory import open_run_directory
from seqzoo.runs.origin import recipe_content
from seqzoo.runs.reopen import Trained
from seqzoo.runs.run import Run
from seqzoo.runs.status import RunState, status_of
from seqzoo.terminal.characters import one_line
from seqzoo.terminal.costs import COST_LEVELS
from seqzoo.terminal.format import quoted

__all__ = ["about_run", "missing_of"]

_NUM_MOMENTS = 6
_LONGEST_REASON = 300

T = TypeVar("T")


@dataclass(frozen=True)
class Part(Generic[T]):
    """A part of the page, or why it is not there."""

    value: T | None
    reason: str = ""


def about_run(run: Run) -> dict[str, Any]:
    """The values of `one_run.html.j2`. A run without a result has no scores on it."""
    directory = open_run_directory(run.path)
    status = status_of(directory)
    log = _part(lambda: read_logged_run(run.path, status.result), run)
    logged = log.value or read_logged_run(run.path, status.result, with_log=False)
    scored = logged if isinstance(logged, FinishedRun) else None
    is_current = scored is not None and status.state is RunState.FINISHED
    loaded = _part(lambda: _loaded(run), run)
    charts = charts_of(logged)
    changes = changes_of(directory)

    def with_model(make: Callable[[Trained], T]) -> Part[T]:
        if loaded.value is None:
            return Part(None, loaded.reason)
        trained = loaded.value
        return _part(lambda: make(trained), run)

    return {
        "note": read_note(run.path),
        "has_baselines": any('class="rung"' in svg for _, svg in charts),
        "sentences": [
            *([] if is_current else [state_in_words(status, log.value)]),
            *(explained(scored.result) if scored else ()),
        ],
        "charts": charts,
        "unlogged": log.reason,
        "samples": samples_of(logged, at_most=_NUM_MOMENTS),
        "levels": COST_LEVELS,
        "passage": with_model(lambda trained: shown_passage(trained.experiment)),
        "units": with_model(lambda trained: shown_units(trained.experiment)),
        "parts": list(part_tables(compare([scored]))) if scored else [],
        "findings": with_model(findings),
        "settings": settings_of(run, logged),
        "changes": changes,
        "environment": environment_of(scored.result) if scored else None,
        "commands": list(commands_for(logged, has_changed=bool(changes))),
        "recipe": recipe_content(directory).decode(),
    }


def missing_of(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Why parts are not there, each reason once."""
    parts = (each for each in values.values() if isinstance(each, Part))
    return tuple(dict.fromkeys(filter(None, (values["unlogged"], *(p.reason for p in parts)))))


def _loaded(run: Run) -> Trained:
    """The run with its model and its corpus, which are tried once for all parts."""
    trained = run.trained
    _ = trained.experiment.data, trained.experiment.model
    return trained


def _part(make: Callable[[], T], run: Run) -> Part[T]:
    """What `make` returns. Whatever a plugin raises in it leaves only this part out."""
    try:
        return Part(make())
    except SeqzooError as error:
        return Part(None, str(error))
    except Exception as error:
        cause = one_line(f"{type(error).__name__}: {error}")[:_LONGEST_REASON]
        return Part(None, f"{cause}; to find out why: seqzoo doctor {quoted(run.path)}")
