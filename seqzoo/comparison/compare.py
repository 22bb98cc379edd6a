"""Runs side by side: their scores, the settings that differ, and where the scores differ."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from seqzoo.comparison.differences import Difference, NoDifference, differences
from seqzoo.comparison.finished import FinishedRun
from seqzoo.comparison.loss_curve import Axis, LossCurve, loss_curve
from seqzoo.comparison.parts import PartRow, rows_by_class, rows_by_distance
from seqzoo.comparison.settings import SettingDifference, changed_settings, differing_settings
from seqzoo.errors import UsageError, did_you_mean
from seqzoo.results.comparable import members_in_words, start_in_words
from seqzoo.results.result import Result

__all__ = [
    "Comparison",
    "MetricRow",
    "compare",
]

Kind: TypeAlias = Literal["bits", "share", "count", "seconds", "memory", "text", "hash"]


@dataclass(frozen=True)
class MetricRow:
    """One thing that was measured of every run. key: its path in result.json.

    values: one for each run; None where a run has none.
    """

    key: str
    title: str
    kind: Kind
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Comparison:
    """Everything that `seqzoo compare` shows. Tuples with a value per run are in order of `runs`.

    settings: those that differ; of a single run, those that are not the default.
    starts: a sentence for each run that started from another run's weights.
    """

    runs: tuple[FinishedRun, ...]
    letters: tuple[str, ...]
    split: str
    axis: Axis
    starts: tuple[str, ...]
    metrics: tuple[MetricRow, ...]
    differences: tuple[Difference | NoDifference, ...]
    settings: tuple[SettingDifference, ...]
    by_class: tuple[PartRow, ...]
    by_distance: tuple[PartRow, ...]
    curves: tuple[LossCurve, ...]


def compare(
    runs: Sequence[FinishedRun], *, split: str = "test", axis: Axis = "steps"
) -> Comparison:
    """Compare runs with the first of them, on one split; or show a single run.

    axis: the x axis of curves. Raises UsageError for no run, more than 26, or a split that none of
    them has.
    """
    if not 1 <= len(runs) <= len(string.ascii_uppercase):
        raise UsageError(f"1 to 26 runs can be compared, and {len(runs)} were given.")
    results = [run.result for run in runs]
    letters = tuple(string.ascii_uppercase[: len(runs)])
    known = list(_splits(results))
    if split not in known:
        raise UsageError(f"'{split}' is not a split of these runs.{did_you_mean(split, known)}")
    found = differences(results, letters, split)
    comparable = {letters[0]} | {
        each.second for each in found if isinstance(each, Difference) and not each.adaptive
    }
    scores = [result.scores.get(split) for result in results]
    may_subtract = [letter in comparable for letter in letters]
    starts = [
        words(result, letter)
        for result, letter in zip(results, letters, strict=True)
        for words in (start_in_words, members_in_words)
    ]
    return Comparison(
        runs=tuple(runs),
        letters=letters,
        split=split,
        axis=axis,
        starts=tuple(filter(None, starts)),
        metrics=tuple(_metrics(results)),
        differences=tuple(found),
        settings=(
            differing_settings([run.recipe for run in runs], letters)
            if len(runs) > 1
            else changed_settings(runs[0].recipe, letters[0])
        ),
        by_class=rows_by_class(scores, may_subtract),
        by_distance=rows_by_distance(scores, may_subtract),
        curves=tuple(loss_curve(run, axis) for run in runs),
    )


# Shown of a single run, and where runs differ in them.
_ONLY_DIFFERING: tuple[tuple[str, str, Kind], ...] = (
    ("corpus.name", "corpus", "text"),
    ("corpus.sha256", "corpus sha256", "hash"),
    ("split", "split", "text"),
    ("protocol.name", "protocol", "text"),
    ("cpu", "cpu", "text"),
    ("started_from.path", "started from", "text"),
    ("started_from.weights_sha256", "its sha256", "hash"),
)


def _metrics(results: Sequence[Result]) -> Iterator[MetricRow]:
    stored = [result.model_dump(mode="json") for result in results]

    def metric(key: str, title: str, kind: Kind) -> MetricRow:
        return MetricRow(key, title, kind, tuple(_at(each, key) for each in stored))

    def differs(row: MetricRow) -> bool:
        return len(set(row.values)) > 1 or (len(results) == 1 and row.values[0] is not None)

    yield metric("architecture", "architecture", "text")
    yield metric("tokenizer", "tokenizer", "text")
    splits = list(_splits(results))
    for split in splits:
        title = f"bits per byte, {split.replace('_', '-')}"
        yield metric(f"scores.{split}.bits_per_byte", title, "bits")
    for split in splits:
        title = f"adaptive, {split.replace('_', '-')}"
        row = metric(f"adaptive.scores.{split}.bits_per_byte", title, "bits")
        if any(value is not None for value in row.values):
            yield row
    scores = [score for result in results for score in result.scores.values()]
    is_of_bytes = all(score.counts_bytes for score in scores)
    accuracy = "accuracy" if is_of_bytes else "accuracy (of tokens)"
    for split in splits:
        title = f"{accuracy}, {split.replace('_', '-')}"
        yield metric(f"scores.{split}.accuracy", title, "share")
    yield metric("parameters", "parameters", "count")
    yield metric("training_bytes", "training bytes", "count")
    yield metric("training_seconds", "training time", "seconds")
    yield metric("peak_memory_bytes", "peak memory", "memory")
    yield metric("steps", "steps", "count")
    yield metric("step", "scored step", "count")
    yield metric("seed", "seed", "text")
    yield metric("threads", "threads", "count")
    yield metric("precision", "precision", "text")
    yield metric("device", "device", "text")
    rows = [metric(*row) for row in _ONLY_DIFFERING]
    names = dict.fromkeys(name for result in results for name in result.versions)
    for name in names:
        versions = tuple(result.versions.get(name) for result in results)
        rows.append(MetricRow(f"versions.{name}", name, "text", versions))
    yield from filter(differs, rows)


def _splits(results: Iterable[Result]) -> Iterable[str]:
    return dict.fromkeys(split for result in results for split in result.scores)


def _at(data: Any, key: str) -> Any:
    """The value at a dotted path; None where the path does not exist."""
    for part in key.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return data
