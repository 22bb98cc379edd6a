"""metrics.jsonl and timing.jsonl: writes and reads the lines that a run logs.

Three rules apply to every reader:

- A line is valid when its newline is written. The text after the last newline is ignored: a
  process is still writing it, or was killed while it wrote.
- A whole line that cannot be read is an error that names the file and the line.
- Lines of one step are joined. Older runs wrote the validation scores as a second line of the same
  step, so that a join by step counted the step twice.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from io import BufferedWriter
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seqzoo.errors import EnvironmentFault, UsageError
from seqzoo.regular_files import open_to_change, open_to_read
from seqzoo.results.damage import problem_of
from seqzoo.storage import is_full, naming, write_through

__all__ = [
    "Bits",
    "Columns",
    "Count",
    "Follower",
    "Log",
    "LogLine",
    "MetricsLine",
    "TimingLine",
    "columns",
    "read_metrics",
    "read_timing",
]

# Limits that no run reaches, and that are exact or finite as floats.
Count = Annotated[int, Field(ge=0, le=2**53)]
Bits = Annotated[float, Field(ge=0, le=1e100)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]
Amount = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]

Columns: TypeAlias = dict[str, npt.NDArray[np.float64]]
"""Values by the name of their column, one for each step."""


class LogLine(BaseModel):
    """What was logged at a step. Fields that a newer version adds are kept unchanged."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    step: Count

    def values(self) -> dict[str, Any]:
        """The values of the line by name; missing ones are left out."""
        return self.model_dump(exclude_unset=True, exclude_none=True)


class MetricsLine(LogLine):
    """A line of metrics.jsonl. Means are over the updates since the line before.

    bytes: raw bytes trained on so far, repeats counted. epoch: whole passes of the training part.
    validation_bits_per_byte: of the better weights, where a run has trained and averaged ones.
    """

    bits_per_byte: Bits | None = None
    gradient_norm: Amount | None = None
    learning_rate: Amount | None = None
    bytes: Count | None = None
    epoch: Count | None = None
    validation_bits_per_byte: Bits | None = None
    validation_accuracy: Share | None = None
    validation_bits_per_byte_trained: Bits | None = None
    validation_bits_per_byte_averaged: Bits | None = None


class TimingLine(LogLine):
    """A line of timing.jsonl. seconds: of training so far. bytes_per_second: since the line before.

    Times differ between repetitions of a run, so they are in a separate file.
    """

    seconds: Seconds
    bytes_per_second: Amount | None = None


_MAX_LINE_BYTES = 1 << 20

LineT = TypeVar("LineT", bound=LogLine)


def read_metrics(path: Path) -> tuple[MetricsLine, ...]:
    """The lines of metrics.jsonl in the order of their steps, one for each step.

    Empty if there is no file. Raises UsageError for a damaged line or an unreadable file.
    """
    return _merged(Follower(path, MetricsLine).added(), MetricsLine)


def read_timing(path: Path) -> tuple[TimingLine, ...]:
    """The lines of timing.jsonl, as `read_metrics` reads those of metrics.jsonl."""
    return _merged(Follower(path, TimingLine).added(), TimingLine)


def columns(metrics: Iterable[MetricsLine], timing: Iterable[TimingLine] = ()) -> Columns:
    """Lines as columns of float64, joined by step: one row for each step, in order.

    A value that a line does not have is NaN. There is always a column `step`, and any other column
    if at least one line has it. Values that are not numbers are left out.
    """
    rows: dict[int, dict[str, float]] = {}
    for line in (*metrics, *timing):
        numbers = {k: v for k, v in line.values().items() if type(v) in (int, float)}
        rows.setdefault(line.step, {}).update(numbers)
    ordered = [rows[step] for step in sorted(rows)]
    names = dict.fromkeys(["step", *(name for row in ordered for name in row)])
    return {
        name: np.array([row.get(name, math.nan) for row in ordered], dtype=np.float64)
        for name in names
    }


class Follower(Generic[LineT]):
    """Reads a file of JSON lines while it grows; the first call of `added` reads the whole file."""

    def __init__(self, path: Path, kind: type[LineT]) -> None:
        """kind: the model that every line must fit."""
        self._path = path
        self._kind = kind
        self._start_again()

    def added(self) -> list[LineT]:
        """The whole lines that were added since the last call; none if there is no file.

        All lines again if the file was truncated, as it is when a run resumes. Raises UsageError
        for a damaged line or an unreadable file; the next call reads the same line again.
        """
        try:
            with open_to_read(self._path) as file:
                if not self._is_grown(file):
                    self._start_again()
                file.seek(self._offset)
                lines = list(iter(lambda: self._next_line(file), b""))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(f"{self._path} cannot be read: {error.strerror}.") from error
        added = [self._parsed(line, self._count + n) for n, line in enumerate(lines, start=1)]
        if lines:
            self._offset += sum(map(len, lines))
            self._count += len(lines)
            self._last = lines[-1]
        return added

    def _next_line(self, file: BinaryIO) -> bytes:
        """The next line with its newline; b"" where there is none that is complete."""
        line = file.readline(_MAX_LINE_BYTES)
        if line.endswith(b"\n"):
            return line
        if len(line) == _MAX_LINE_BYTES:
            raise UsageError(
                f"{self._path} has a line of more than {_MAX_LINE_BYTES:,} bytes and is damaged; "
                f"restore the file from a copy, or move it out of the folder."
            )
        return b""

    def _start_again(self) -> None:
        self._offset = self._count = 0
        self._last = b""

    def _is_grown(self, file: BinaryIO) -> bool:
        """Whether the last line that was read is still at its position."""
        file.seek(self._offset - len(self._last))
        return file.read(len(self._last)) == self._last

    def _parsed(self, line: bytes, number: int) -> LineT:
        try:
            return self._kind.model_validate_json(line)
        except ValidationError as error:
            raise UsageError(
                f"{self._path}:{number}: the line is damaged: {problem_of(error)}; remove "
                f"the line to continue without it."
            ) from error


def _merged(lines: Iterable[LineT], kind: type[LineT]) -> tuple[LineT, ...]:
    """One line for each step, in order; if a value is given twice, the later one is used."""
    steps: dict[int, LineT] = {}
    for line in lines:
        earlier = steps.get(line.step)
        steps[line.step] = (
            line if earlier is None else kind.model_validate(earlier.values() | line.values())
        )
    return tuple(steps[step] for step in sorted(steps))


class Log:
    """A file of JSON lines that can be truncated to its length at a checkpoint."""

    def __init__(self, path: Path, *, length: int, warn: Callable[[str], None]) -> None:
        """Open for appending after the first `length` bytes; the rest is removed.

        warn: called with a sentence if the file is shorter. Raises EnvironmentFault if it cannot
        be opened.
        """
        self._path = path
        try:
            self._file = BufferedWriter(open_to_change(path))
        except OSError as error:
            if is_full(error):
                raise
            raise EnvironmentFault(
                f"{path} cannot be written: {error.strerror}; it must be a file, so move what is "
                f"there out of the run's folder."
            ) from error
        size = path.stat().st_size
        if size < length:
            warn(
                f"{path} has {size} bytes, and {length} were written before; the missing lines "
                f"cannot be written again, and the file continues from here."
            )
        # Not beyond its size: that would fill the file with NUL bytes.
        self._file.truncate(min(length, size))
        self._file.seek(0, os.SEEK_END)  # truncate leaves the position, and `sync` reports it
        self._content = hashlib.sha256()
        with open_to_read(path) as written:
            while part := written.read(_MAX_LINE_BYTES):
                self._content.update(part)

    def append(self, line: Mapping[str, Any]) -> None:
        """Add one line; readers of the file see it at once."""
        text = (json.dumps(line, allow_nan=False) + "\n").encode()
        with naming(self._path):
            self._file.write(text)
            self._file.flush()
        self._content.update(text)

    def sync(self) -> int:
        """Write everything to disk; returns the length in bytes, which a checkpoint stores."""
        with naming(self._path):
            write_through(self._file)
        return self._file.tell()

    @property
    def sha256(self) -> str:
        """Of everything that is written."""
        return self._content.hexdigest()

    def close(self) -> None:
        """Flush and close."""
        with naming(self._path):
            self._file.close()
