"""A finished run as its own files tell it: recipe, metrics and result; no plugin, no corpus."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seqzoo.errors import UsageError
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.results.result import Result, read_result
from seqzoo.runs.directory import RunDirectory, open_run_directory

__all__ = ["FinishedRun", "MetricsLine", "read_finished_runs"]

# Bounds that no run comes near, and that arithmetic with floats stands.
Count = Annotated[int, Field(ge=0, le=2**53)]
Bits = Annotated[float, Field(ge=0, le=1e100)]


class MetricsLine(BaseModel):
    """A line of metrics.jsonl: what was measured at a step, of training or of validation."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    step: Count
    bytes: Count | None = None
    bits_per_byte: Bits | None = None
    validation_bits_per_byte: Bits | None = None
    validation_accuracy: Annotated[float, Field(ge=0, le=1)] | None = None


class TimingLine(BaseModel):
    """A line of timing.jsonl: the seconds of training that had passed at a step."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    step: Count
    seconds: Annotated[float, Field(ge=0, le=1e12)]


Line = TypeVar("Line", bound=BaseModel)


@dataclass(frozen=True)
class FinishedRun:
    """One run. label: its folder's name, with as many folders before it as tell it apart.

    recipe: plain data, as resolved when the run began. metrics: empty where none were kept.
    seconds_at: of training, by step.
    """

    label: str
    path: Path
    result: Result
    recipe: dict[str, Any]
    metrics: tuple[MetricsLine, ...]
    seconds_at: Mapping[int, float] = field(default_factory=dict)


def read_finished_runs(paths: Sequence[Path]) -> list[FinishedRun]:
    """The runs in these folders, in this order, each with a label of its own.

    Raises UsageError, in one sentence, where there is no run, or one without a result, or files
    that cannot be read.
    """
    runs = []
    for path, label in zip(paths, _labels(paths), strict=True):
        directory = open_run_directory(path)
        if not directory.result.exists():
            raise UsageError(
                f"{path} has no result.json; finish it with 'seqzoo resume {path}', or score it "
                f"with 'seqzoo eval {path}'."
            )
        timing = _lines(directory.timing, TimingLine)
        runs.append(
            FinishedRun(
                label,
                path,
                read_result(directory.result),
                _recipe(directory),
                _lines(directory.metrics, MetricsLine),
                {line.step: line.seconds for line in timing},
            )
        )
    return runs


def _labels(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that differ; a folder that is named twice gets a number."""
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
        data, _ = load_yaml(directory.recipe.read_bytes(), str(directory.recipe))
    except OSError as error:
        raise UsageError(f"{directory.recipe} cannot be read: {error.strerror}.") from error
    if not isinstance(data, dict):
        raise UsageError(f"{directory.recipe} is damaged: a recipe is a mapping of sections.")
    return data


def _lines(path: Path, kind: type[Line]) -> tuple[Line, ...]:
    try:
        *whole, torn = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    # A process that writes at this moment leaves half a line at the end, and that is no damage.
    del torn
    lines = []
    for number, line in enumerate(whole, start=1):
        try:
            lines.append(kind.model_validate_json(line))
        except ValidationError as error:
            raise UsageError(
                f"{path}:{number}: the line is damaged: "
                f"{error.errors()[0]['msg']}; remove the line to go on without it."
            ) from error
    return tuple(lines)
