"""What the log of a run shows, finished or not: its curves and the samples of its training."""

from __future__ import annotations

from markupsafe import Markup

from seqzoo.comparison.finished import FinishedRun, LoggedRun, static_rungs
from seqzoo.comparison.loss_curve import loss_curve, usual_axis
from seqzoo.comparison.page import curve_charts
from seqzoo.report.moments import Moment, moments
from seqzoo.runs.directory import open_run_directory

__all__ = ["charts_of", "samples_of"]


def charts_of(run: LoggedRun) -> list[tuple[str, Markup]]:
    """Titles and curves, with the baselines where the run has been scored."""
    axis = usual_axis([run])
    rungs = static_rungs([run]) if isinstance(run, FinishedRun) else ()
    return curve_charts([loss_curve(run, axis)], axis, names=[run.label], rungs=rungs)


def samples_of(run: LoggedRun, *, at_most: int) -> list[tuple[str, str]]:
    """Headings and texts of several moments, in the order of training."""
    found = moments(open_run_directory(run.path), run.metrics, at_most=at_most)
    return [(_heading(each), each.text) for each in found]


def _heading(moment: Moment) -> str:
    words = f"Update {moment.step:,}"
    if moment.is_last:
        words = f"After training, with the weights of update {moment.step:,}"
    if moment.text.endswith("…"):
        words += f" (the beginning of {moment.num_bytes:,} bytes)"
    if moment.bits_per_byte is not None:
        words += f": validation {moment.bits_per_byte:.3f} bits per byte"
    return words
