"""A run, read from its own files: recipe, metrics and result; no plugin and no corpus."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqzoo.errors import UsageError
from seqzoo.recipes.yaml_reader import MAX_BYTES, load_yaml
from seqzoo.regular_files import read_bytes
from seqzoo.results.ladder import Rung
from seqzoo.results.result import Result, read_result
from seqzoo.runs.directory import RunDirectory, open_run_directory
from seqzoo.runs.metrics import MetricsLine, read_metrics, read_timing

__all__ = [
    "FinishedRun",
    "LoggedRun",
    "count_bytes",
    "read_finished_runs",
    "read_logged_run",
    "static_rungs",
]


@dataclass(frozen=True)
class LoggedRun:
    """A run that may still be trained.

    label: the end of its path, as short as makes it different from the others. recipe: plain data,
    as resolved when the run began. metrics: empty where there are none. seconds_at: seconds of
    training by step.
    """

    label: str
    path: Path
    recipe: dict[str, Any]
    metrics: tuple[MetricsLine, ...]
    seconds_at: Mapping[int, float]


@dataclass(frozen=True)
class FinishedRun(LoggedRun):
    """One with a result."""

    result: Result


def read_logged_run(path: Path, result: Result | None, *, with_log: bool = True) -> LoggedRun:
    """A run, finished where it has a result. with_log: whether its metrics are read.

    Raises UsageError, in one sentence, where there is no run, or a file cannot be read.
    """
    label, logged = path.resolve().name, _logged(open_run_directory(path), with_log=with_log)
    return (
        LoggedRun(label, **logged)
        if result is None
        else FinishedRun(label, **logged, result=result)
    )


def read_finished_runs(paths: Sequence[Path]) -> list[FinishedRun]:
    """The runs in these folders, in this order, each with a label of its own.

    Raises UsageError, in one sentence, where there is no run, or one without a result, or files
    that cannot be read.
    """
    runs = []
    for path, label in zip(paths, _labels(paths), strict=True):
        directory = open_run_directory(path)
        if not directory.result.exists():
            raise UsageError(f"{path} has no result.json; finish it with: {directory.to_continue}")
        runs.append(FinishedRun(label, **_logged(directory), result=read_result(directory.result)))
    return runs


def _logged(directory: RunDirectory, *, with_log: bool = True) -> dict[str, Any]:
    timing = read_timing(directory.timing) if with_log else ()
    return {
        "path": directory.path,
        "recipe": _recipe(directory),
        "metrics": read_metrics(directory.metrics) if with_log else (),
        "seconds_at": {line.step: line.seconds for line in timing},
    }


def static_rungs(runs: Sequence[FinishedRun]) -> list[Rung]:
    """The static baselines of the corpus; none where the runs have different ones.

    They guess bytes: without an accuracy where a run guesses larger tokens.
    """
    if len({run.result.corpus.sha256 for run in runs}) > 1:
        return []
    rungs = [rung for rung in runs[0].result.rungs if not rung.adaptive]
    return rungs if count_bytes(runs) else [replace(rung, accuracy={}) for rung in rungs]


def count_bytes(runs: Sequence[FinishedRun]) -> bool:
    """Whether the accuracies of all runs are those of bytes."""
    return all(score.counts_bytes for run in runs for score in run.result.scores.values())


def _labels(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that differ; a folder that is given twice gets a number."""
    parts = [Path(os.path.abspath(path)).parts for path in paths]
    labels: list[str] = []
    for own in parts:
        others = [other for other in parts if other != own]
        length = 1
        while any(other[-length:] == own[-length:] for other in others):
            length += 1
        label = str(Path(*own[-length:]))
        repeats = parts[: len(labels)].count(own)
        labels.append(f"{label} ({repeats + 1})" if repeats else label)
    return labels


def _recipe(directory: RunDirectory) -> dict[str, Any]:
    try:
        content = read_bytes(directory.recipe, limit=MAX_BYTES)
        data, _ = load_yaml(content, str(directory.recipe))
    except OSError as error:
        raise UsageError(f"{directory.recipe} cannot be read: {error.strerror}.") from error
    if not isinstance(data, dict):
        raise UsageError(f"{directory.recipe} is damaged: a recipe is a mapping of sections.")
    return data
