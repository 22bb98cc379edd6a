"""A table of metrics with one line for each step, RFC 4180."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seqzoo import Tracker, UsageError, write_whole

__all__ = ["TableTracker"]


class TableTracker(Tracker):
    """Appends a line at each step; a metric that the table lacks becomes a new column at its end.

    The whole table is then written again, which happens a few times in a run. A metric that a step
    does not have is an empty field.
    """

    def __init__(self, path: Path | None, run_directory: Path, *, resumed_from: int | None) -> None:
        """path: None for metrics.csv in the run's folder.

        Raises UsageError if there is a file that another run wrote.
        """
        self._path = _claimed(path, run_directory)
        self._columns: dict[str, None] = {"step": None}
        self._write_again([] if resumed_from is None else self._rows(resumed_from))

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add a line."""
        row = {"step": step, **metrics}
        if not row.keys() <= self._columns.keys():
            self._file.close()
            self._write_again([*self._rows(), row])
        else:
            self._file.write(_lines(self._columns, [row]))
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rows(self, last: int | None = None) -> list[dict[str, Any]]:
        """The stored lines, up to the step `last`; a line without an end was never completed."""
        try:
            with self._path.open(encoding="utf-8", newline="") as file:
                stored = file.read()
            whole = stored[: stored.rfind("\n") + 1]
            rows = list(csv.DictReader(io.StringIO(whole, newline=""), strict=True))
            if any(None in row for row in rows):
                raise ValueError("a line has more fields than the first")
            return [row for row in rows if last is None or int(row["step"]) <= last]
        except FileNotFoundError:
            return []
        except (csv.Error, KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"{self._path} is damaged ({error}); move it away, and resume the run with another "
                f"path, where the whole table is written."
            ) from error

    def _write_again(self, rows: list[dict[str, Any]]) -> None:
        self._columns.update(dict.fromkeys(name for row in rows for name in row))
        header = _lines(self._columns, [dict(zip(self._columns, self._columns, strict=True))])
        write_whole(self._path, header + _lines(self._columns, rows))
        self._file = self._path.open("a", encoding="utf-8", newline="")


def _lines(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO(newline="")
    csv.DictWriter(text, list(columns), lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _is_table(path: Path) -> bool:
    """Whether a table can be written again at this path: it has one, or nothing."""
    try:
        with path.open("rb") as file:
            return file.readline(5) in (b"", b"step,", b"step\r")
    except FileNotFoundError:
        return True


def _claimed(path: Path | None, run_directory: Path) -> Path:
    """The file to write. For one outside of the run's folder, the folder gets a link to it.

    The link says that the file is this run's: other files are not overwritten. Somebody who sends a
    run can make a link too, so a file that is no table is never overwritten.
    """
    if path is None:
        return run_directory / "metrics.csv"
    path, link = path.absolute(), run_directory / f"metrics-{path.stem}.csv"
    if link.is_symlink() and link.readlink() == path and _is_table(path):
        return path
    if path.is_dir() or (path.exists() and path.stat().st_size):
        raise UsageError(
            f"{path} exists, and this run did not write it; choose another path for the table."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    return path
