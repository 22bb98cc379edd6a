"""Runs side by side: what they scored, in which settings they differ, and where they differ."""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from seqzoo.comparison.differences import Difference, NoDifference, differences
from seqzoo.comparison.finished import FinishedRun
from seqzoo.comparison.parts import PartRow, rows_by_class, rows_by_distance
from seqzoo.comparison.settings import SettingDifference, differing_settings
from seqzoo.errors import UsageError, did_you_mean
from seqzoo.results.result import Result

__all__ = [
    "Axis",
    "Comparison",
    "LossCurve",
    "MetricRow",
    "compare",
]

Axis: TypeAlias = Literal["steps", "bytes"]
Kind: TypeAlias = Literal["bits", "share", "count", "seconds", "memory", "text", "hash"]
Points: TypeAlias = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class MetricRow:
    """One thing that was measured of every run. key: its path in result.json.

    values: by run; None where a run has none.
    """

    key: str
    title: str
    kind: Kind
    values: tuple[Any, ...]


@dataclass(frozen=True)
class LossCurve:
    """Bits per byte while a run learnt: (x, bits per byte), in the order of the log."""

    training: Points
    validation: Points


@dataclass(frozen=True)
class Comparison:
    """Everything that `seqzoo compare` shows; tuples by run are in the order of `runs`."""

    runs: tuple[FinishedRun, ...]
    letters: tuple[str, ...]
    split: str
    axis: Axis
    quantities: tuple[MetricRow, ...]
    differences: tuple[Difference | NoDifference, ...]
    settings: tuple[SettingDifference, ...]
    by_class: tuple[PartRow, ...]
    by_distance: tuple[PartRow, ...]
    curves: tuple[LossCurve, ...]


def compare(
    runs: Sequence[FinishedRun], *, split: str = "test", axis: Axis = "steps"
) -> Comparison:
    """Compare runs with the first of them, on one split.

    axis: what curves are drawn over. Raises UsageError for fewer than two runs, more than 26, or
    a split that none of them has.
    """
    if not 2 <= len(runs) <= len(string.ascii_uppercase):
        raise UsageError(f"compare takes 2 to 26 folders of runs, and was given {len(runs)}.")
    results = [run.result for run in runs]
    letters = tuple(string.ascii_uppercase[: len(runs)])
    known = list(_splits(results))
    if split not in known:
        raise UsageError(f"'{split}' is not a split of these runs.{did_you_mean(split, known)}")
    found = differences(results, letters, split)
    like = {letters[0]} | {
        each.second for each in found if isinstance(each, Difference) and not each.adaptive
    }
    scores = [result.scores.get(split) for result in results]
    may_subtract = [letter in like for letter in letters]
    return Comparison(
        runs=tuple(runs),
        letters=letters,
        split=split,
        axis=axis,
        quantities=tuple(_quantities(results)),
        differences=tuple(found),
        settings=differing_settings([run.recipe for run in runs], letters),
        by_class=rows_by_class(scores, may_subtract),
        by_distance=rows_by_distance(scores, may_subtract),
        curves=tuple(_curve(run, axis) for run in runs),
    )


# Shown where runs differ in them, and left out where not.
_ONLY_DIFFERING: tuple[tuple[str, str, Kind], ...] = (
    ("corpus.name", "corpus", "text"),
    ("corpus.sha256", "corpus sha256", "hash"),
    ("split", "split", "text"),
    ("protocol.name", "protocol", "text"),
    ("cpu", "cpu", "text"),
)


def _quantities(results: Sequence[Result]) -> Iterator[MetricRow]:
    stored = [result.model_dump(mode="json") for result in results]

    def quantity(key: str, title: str, kind: Kind) -> MetricRow:
        return MetricRow(key, title, kind, tuple(_at(each, key) for each in stored))

    def differs(row: MetricRow) -> bool:
        return len(set(row.values)) > 1

    yield quantity("architecture", "architecture", "text")
    yield quantity("tokenizer", "tokenizer", "text")
    splits = list(_splits(results))
    for split in splits:
        title = f"bits per byte, {split.replace('_', '-')}"
        yield quantity(f"scores.{split}.bits_per_byte", title, "bits")
    for split in splits:
        title = f"adaptive, {split.replace('_', '-')}"
        row = quantity(f"adaptive.scores.{split}.bits_per_byte", title, "bits")
        if any(value is not None for value in row.values):
            yield row
    for split in splits:
        title = f"accuracy, {split.replace('_', '-')}"
        yield quantity(f"scores.{split}.accuracy", title, "share")
    yield quantity("parameters", "parameters", "count")
    yield quantity("training_bytes", "training bytes", "count")
    yield quantity("training_seconds", "training time", "seconds")
    yield quantity("peak_memory_bytes", "peak memory", "memory")
    yield quantity("steps", "steps", "count")
    yield quantity("step", "scored step", "count")
    yield quantity("seed", "seed", "text")
    yield quantity("threads", "threads", "count")
    yield quantity("precision", "precision", "text")
    yield quantity("device", "device", "text")
    rows = [quantity(*row) for row in _ONLY_DIFFERING]
    names = dict.fromkeys(name for result in results for name in result.versions)
    for name in names:
        versions = tuple(result.versions.get(name) for result in results)
        rows.append(MetricRow(f"versions.{name}", name, "text", versions))
    yield from filter(differs, rows)


def _splits(results: Iterable[Result]) -> Iterable[str]:
    return dict.fromkeys(split for result in results for split in result.scores)


def _at(data: Any, key: str) -> Any:
    """The value at a dotted path; None where there is none."""
    for part in key.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _curve(run: FinishedRun, axis: Axis) -> LossCurve:
    lines = run.metrics
    if axis == "steps":
        places = [float(line.step) for line in lines]
    else:
        # Lines of validation do not say how many bytes had been read; those around them do.
        known = [(line.step, line.bytes) for line in lines if line.bytes is not None]
        steps, read = zip((0, 0), *known, strict=True)
        places = np.interp([line.step for line in lines], steps, read).tolist()
    training = [line.bits_per_byte for line in lines]
    validation = [line.validation_bits_per_byte for line in lines]
    return LossCurve(_points(places, training), _points(places, validation))


def _points(places: Sequence[float], values: Sequence[float | None]) -> Points:
    pairs = zip(places, values, strict=True)
    return tuple((x, y) for x, y in pairs if y is not None and math.isfinite(y))
