"""The pages of `seqzoo report`: one run in full, or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqzoo.comparison.compare import compare
from seqzoo.comparison.finished import read_finished_runs
from seqzoo.comparison.loss_curve import usual_axis
from seqzoo.comparison.page import sections
from seqzoo.pages.render import render
from seqzoo.report.logged import samples_of
from seqzoo.runs.run import Run

__all__ = ["Report", "report_on", "report_on_several"]


class Report(NamedTuple):
    """A page, and why some of its parts could not be made."""

    page: str
    missing: tuple[str, ...] = ()


def report_on(run: Run) -> Report:
    """A page in one file, which loads nothing. The model is loaded and reads some text."""
    from seqzoo.report.one_run import about_run, missing_of  # imports torch, for one run only

    values = about_run(run)
    return Report(_page([run.path.resolve().name], values), missing_of(values))


def report_on_several(paths: Sequence[Path]) -> Report:
    """The same of runs side by side; raises UsageError for one without a result."""
    runs = read_finished_runs(paths)
    comparison = compare(runs, axis=usual_axis(runs))
    written = [
        (letter, heading, text)
        for letter, run in zip(comparison.letters, runs, strict=True)
        for heading, text in samples_of(run, at_most=1)
    ]
    return Report(_page([run.label for run in runs], {**sections(comparison), "written": written}))


def _page(labels: Sequence[str], values: dict[str, Any]) -> str:
    return render(
        ("seqzoo.report", "seqzoo.comparison"),
        "report.html.j2",
        title=f"seqzoo report: {', '.join(labels)}",
        scripts=("charts.js",),
        **values,
    )
