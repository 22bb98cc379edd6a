"""The laws of trackers."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqzoo.errors import UsageError
from seqzoo.plugin.contexts import TrackerContext
from seqzoo.plugin.specs import TrackerSpec
from seqzoo.plugin.tracker import RunEnd, Tracker
from seqzoo.testing.given import Given, NotHere
from seqzoo.testing.law import Law, law, require
from seqzoo.testing.watching import printed

__all__ = ["GIVEN", "LAWS"]

_RECIPE: Mapping[str, Any] = {
    "name": "mine",
    "architecture": {"name": "mine", "options": {"size": 8}},
    "train": {"batch_size": 2, "budget": {"steps": 10}},
}

_RESULT: Mapping[str, Any] = {
    "run": "mine",
    "recipe": "mine",
    "architecture": "mine",
    "scores": {"test": {"bits_per_byte": 2.5, "accuracy": 0.5}},
    "placement": "below order-2, above order-3",
    "steps": 10,
    "step": 10,
    "seed": 1,
}
"""Some of what result.json has."""

# The names that a run logs.
_METRICS: Mapping[str, float] = {
    "bits_per_byte": 2.5,
    "gradient_norm": 0.75,
    "learning_rate": 3e-3,
    "bytes": 20480,
    "epoch": 0,
    "seconds": 0.25,
    "bytes_per_second": 81920.0,
    "validation_bits_per_byte": 2.625,
    "validation_accuracy": 0.5,
}

_ODD: Mapping[str, float] = {
    "a name with spaces": 1.0,
    "über/größe": 2.0,
    "a.b[0]=c": 3.0,
    "": 4.0,
    "x" * 300: 5.0,
    "not_a_number": math.nan,
    "infinite": math.inf,
    "minus": -math.inf,
    "huge": 1e300,
}


class GIVEN(Given[TrackerSpec]):
    """A tracker with one choice of options, which works in a folder that is deleted afterwards."""

    def accept(self) -> None:
        """Options are checked without opening a tracker, which can write."""

    @contextmanager
    def opened(self) -> Iterator[tuple[Tracker, Path]]:
        """A new tracker, and the folder of its run."""
        with _run_folder() as run:
            yield self.open(run), run

    def open(self, run: Path, resumed_from: int | None = None) -> Tracker:
        """A tracker of that run; one that lacks a package or an account is skipped."""
        context = TrackerContext(run_directory=run, recipe=_RECIPE, resumed_from=resumed_from)
        try:
            return self.spec.open(self.options, context)
        except UsageError as error:
            if isinstance(error.__cause__, ImportError):  # what it needs is not on this machine
                raise NotHere(str(error)) from error
            raise


@contextmanager
def _run_folder() -> Iterator[Path]:
    """The folder of a run, two below the working directory; both are temporary."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="seqzoo-laws-") as name:
        run = Path(name).resolve() / "runs" / "mine"
        run.mkdir(parents=True)
        os.chdir(name)
        try:
            yield run
        finally:
            os.chdir(before)


@law(
    "tracker.calls",
    says="it opens, receives metrics, a text and the end of the run, and closes",
    cause="a package or an account that it needs, an argument that is missing, or `sys.exit`",
    cases=[{"steps": 5}],
    every_option=True,
    is_gate=True,
)
def _calls(given: GIVEN, steps: int) -> None:
    with given.opened() as (tracker, _):
        require(isinstance(tracker, Tracker), f"`open` returned a {type(tracker).__name__}")
        for step in range(1, steps + 1):
            tracker.log(step, dict(_METRICS))
        tracker.log_text(steps, "sample", "Two lines\nand \N{REPLACEMENT CHARACTER}")
        tracker.finish(_RESULT, "finished")
        tracker.close()


@law(
    "tracker.odd_metrics",
    says="it takes any name of a metric and any number, nan and infinity too",
    cause="a name that becomes a file or a column as it is, or JSON without nan",
    cases=[{"metric": place} for place in range(len(_ODD))],
)
def _odd_metrics(given: GIVEN, metric: int) -> None:
    name, value = list(_ODD.items())[metric]
    with given.opened() as (tracker, _):
        tracker.log(1, {name: value})
        tracker.close()


@law(
    "tracker.changing_metrics",
    says="a later line can have other metrics than the first, or none",
    cause="columns that are fixed by the first line",
)
def _changing_metrics(given: GIVEN) -> None:
    with given.opened() as (tracker, _):
        tracker.log(1, {"a": 1.0})
        tracker.log(2, {"b": 2.0})
        tracker.log(3, {"a": 1.0, "c": 3.0})
        tracker.log(4, {})
        tracker.close()


@law(
    "tracker.closes",
    says="it closes when nothing was logged, after any end, and can be opened again for the run",
    cause="a file that only the first line opens, or a name that must not exist yet",
)
def _closes(given: GIVEN) -> None:
    with given.opened() as (tracker, run):
        tracker.finish(None, "failed")
        tracker.close()
        ends: tuple[RunEnd, ...] = ("interrupted", "diverged")
        for resumed_from, status in zip((None, 3), ends, strict=True):
            again = given.open(run, resumed_from)
            again.log(4, dict(_METRICS))
            again.finish(None, status)
            again.close()


@law(
    "tracker.own_folder",
    says="it writes into the folder of its run, and not into the working directory",
    cause="a relative path; use `context.run_directory`",
)
def _own_folder(given: GIVEN) -> None:
    with given.opened() as (tracker, run):
        tracker.log(1, dict(_METRICS))
        tracker.close()
        folder = run.parent.parent
        outside = [
            each.relative_to(folder).as_posix()
            for each in folder.rglob("*")
            if each != run and run not in each.parents and each not in run.parents
        ]
        require(not outside, f"it made {', '.join(sorted(outside)[:3])}")


@law(
    "tracker.metrics_kept",
    says="it does not change the metrics that it is given",
    cause="`pop` or an assignment on the mapping, which other trackers receive too",
)
def _metrics_kept(given: GIVEN) -> None:
    metrics = dict(_METRICS)
    with given.opened() as (tracker, _):
        tracker.log(1, metrics)
        tracker.close()
    require(metrics == dict(_METRICS), f"the metrics are {metrics} afterwards")


@law(
    "tracker.silent",
    says="it prints nothing",
    cause="a greeting of its library, or a print for debugging that was left in",
)
def _silent(given: GIVEN) -> None:
    with _run_folder() as run, printed() as said:
        tracker = given.open(run)
        tracker.log(1, dict(_METRICS))
        tracker.close()
    require(not said.getvalue(), f"it printed {said.getvalue()[:60]!r}")


LAWS: tuple[Law, ...] = (
    _calls,
    _odd_metrics,
    _changing_metrics,
    _closes,
    _own_folder,
    _metrics_kept,
    _silent,
)
