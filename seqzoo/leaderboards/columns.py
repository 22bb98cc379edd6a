"""What a leaderboard can show of a row: one list of columns, for every output format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from seqzoo.errors import UsageError, did_you_mean
from seqzoo.leaderboards.board import Group
from seqzoo.leaderboards.rows import Row
from seqzoo.results.result import Result
from seqzoo.terminal.characters import one_line
from seqzoo.terminal.format import clock

__all__ = [
    "COLUMNS",
    "Cell",
    "ChosenColumns",
    "Column",
    "chosen_columns",
    "default_columns",
    "shown_columns",
]


@dataclass(frozen=True)
class Cell:
    """What a column takes its value from: a row, its group, and the kind of score that ranks."""

    group: Group
    row: Row
    kind: str


@dataclass(frozen=True)
class Column:
    """One column.

    value: unrounded, for programs; None where there is none. text: the value, for people.
    number: what comparisons use, where that is not the value.
    priority: columns with low numbers are shown first where there is not room for all; None for a
    column that is shown only when it is asked for. parts: what programs get instead of a value that
    joins several.
    """

    key: str
    title: str
    meaning: str
    value: Callable[[Cell], Any]
    text: Callable[[Any], str] = str
    number: Callable[[Cell], float | None] | None = None
    priority: int | None = None
    is_text: bool = False
    max_width: int | None = None
    parts: tuple[tuple[str, Callable[[Cell], Any]], ...] = ()

    @property
    def data(self) -> tuple[tuple[str, Callable[[Cell], Any]], ...]:
        """The columns that programs get, with their keys; a value has one number or one text."""
        return self.parts or ((self.key, self.value),)

    def show(self, cell: Cell) -> str:
        """The value for people, on one line; empty where there is none."""
        value = self.value(cell)
        return "" if value is None else one_line(self.text(value))

    @property
    def is_number(self) -> bool:
        """Whether rows can be compared by it."""
        return self.number is not None or not self.is_text

    def number_of(self, cell: Cell) -> float | None:
        """The value for comparisons; None where there is none."""
        value = self.value(cell) if self.number is None else self.number(cell)
        return float(value) if isinstance(value, (int, float)) else None


ChosenColumns: TypeAlias = Sequence[Column] | None
"""The columns to show, in their order; None for the default ones."""


def shown_columns(group: Group, columns: ChosenColumns, kind: str) -> list[Column]:
    """The columns that were asked for, or the default ones that are not empty."""
    if columns is not None:
        return list(columns)
    return [
        column
        for column in default_columns()
        if column.key != group.scored  # which is the static column
        and any(column.show(Cell(group, row, kind)) for row in group.rows)
    ]


def default_columns() -> list[Column]:
    """The columns that are shown unless others are asked for."""
    return [column for column in COLUMNS if column.priority is not None]


def chosen_columns(names: Iterable[str]) -> list[Column]:
    """The columns with these keys or titles, in this order. Raises UsageError for another."""
    return [_column(name.strip()) for name in names]


def _column(name: str) -> Column:
    for column in COLUMNS:
        if name in (column.key, column.title):
            return column
    known = [column.key for column in COLUMNS]
    hint = did_you_mean(name, known) or f" Choose from: {', '.join(known)}."
    raise UsageError(f"the leaderboard has no column '{name}'.{hint}")


def _of_runs(value: Callable[[tuple[Result, ...]], Any]) -> Callable[[Cell], Any]:
    return lambda cell: value(cell.row.results) if cell.row.results else None


def _of_all(attribute: str) -> Callable[[Cell], Any]:
    """The value that all runs of the row share; where they differ, all values in order."""

    def value(results: tuple[Result, ...]) -> Any:
        found = list(dict.fromkeys(getattr(result, attribute) for result in results))
        return found[0] if len(found) == 1 else " ".join(map(str, found))

    return _of_runs(value)


def _mean(attribute: str) -> Callable[[Cell], Any]:
    """The mean over the runs; a whole number where the values are, if it is one."""

    def mean(results: tuple[Result, ...]) -> float:
        total: float = sum(getattr(result, attribute) for result in results)
        whole, rest = divmod(total, len(results))
        return whole if isinstance(total, int) and not rest else total / len(results)

    return _of_runs(mean)


def _rank(cell: Cell) -> str | None:
    ranking = cell.row.rankings.get(cell.kind)
    return None if ranking is None else f"{'=' if ranking.is_shared else ''}{ranking.rank}"


def _is_shared(cell: Cell) -> int | None:
    """1 if a tied row has the same rank, else 0."""
    ranking = cell.row.rankings.get(cell.kind)
    return None if ranking is None else int(ranking.is_shared)


def _noise(cell: Cell) -> float | None:
    ranking = cell.row.rankings.get(cell.kind)
    if ranking is None or ranking.interval is None:
        return None
    return (ranking.interval[1] - ranking.interval[0]) / 2


def _seeds(cell: Cell) -> str | None:
    """How many, and their standard deviation; `?` for one seed, of which it is unknown."""
    ranking = cell.row.rankings.get(cell.kind)
    if ranking is None:
        return None
    spread = "?" if ranking.spread is None else f"{ranking.spread:.3f}"
    return f"{ranking.seeds} ±{spread}"


def _ranked(attribute: str) -> Callable[[Cell], Any]:
    return lambda cell: getattr(cell.row.rankings.get(cell.kind), attribute, None)


def _bits(kind: str) -> Callable[[Cell], Any]:
    return lambda cell: cell.row.bits_per_byte.get(kind)


def _other_split(split: str) -> Callable[[Cell], Any]:
    def value(cell: Cell) -> Any:
        scored = cell.row.bits_per_byte.get("static") if cell.group.scored == split else None
        return cell.row.other_splits.get(split, scored)

    return value


def _three(value: float) -> str:
    return f"{value:.3f}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _count(value: float) -> str:
    """1234567 to 1.23M."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= size:
            scaled = value / size
            return f"{scaled:.3g}{unit}" if scaled < 999.5 else f"{scaled:.0f}{unit}"
    return f"{value:.0f}"


def _text(
    key: str,
    meaning: str,
    value: Callable[[Cell], Any],
    *,
    title: str | None = None,
    priority: int | None = None,
    max_width: int | None = None,
) -> Column:
    return Column(
        key,
        key if title is None else title,
        meaning,
        value,
        priority=priority,
        is_text=True,
        max_width=max_width,
    )


COLUMNS = (
    Column("rank", "rank", "one more than the number of runs that are certainly better; = is a tie",
           _rank, number=_ranked("rank"), priority=0,
           parts=(("rank", _ranked("rank")), ("rank_is_shared", _is_shared))),
    _text("run", "folder of the run; of several seeds, what their folders have in common",
          lambda cell: cell.row.name, priority=0, max_width=30),
    _text("started_from", "run whose weights training started from; such runs are ranked apart",
          lambda cell: " ".join(cell.row.started_from) or None, title="started from", priority=0,
          max_width=20),
    _text("members", "of an ensemble: the runs that it mixes, whose time and bytes are added up",
          lambda cell: " ".join(cell.row.members) or None, title="ensemble of", priority=0,
          max_width=28),
    _text("changed", "settings that changed while the run was trained, with old and new values",
          lambda cell: ", ".join(cell.row.changed) or None, priority=2, max_width=20),
    _text("unfinished", "of a run that is not finished: the step of its scores, and its step now",
          lambda cell: cell.row.unfinished or None, priority=0, max_width=28),
    _text("note", "notes of the runs, see 'seqzoo runs note'", lambda cell: cell.row.note or None,
          max_width=40),
    _text("kind", "run, baseline or floor", lambda cell: cell.row.kind),
    _text("recipe", "name of the recipe", _of_all("recipe")),
    _text("architecture", "name of the architecture", _of_all("architecture"), priority=11),
    _text("tokenizer", "name of the tokenizer", _of_all("tokenizer")),
    Column("static", "static", "bits per byte of the frozen model, mean over seeds",
           _bits("static"), _three, priority=0),
    Column("adaptive", "adaptive", "bits per byte while learning from what was scored",
           _bits("adaptive"), _three, priority=0),
    Column("noise", "±", "half the 95 % interval, over blocks of the split and over seeds",
           _noise, _three, priority=1),
    Column("seeds", "seeds ±", "number of seeds, and their standard deviation; ? is unknown",
           _seeds, number=_ranked("seeds"), priority=2, is_text=True,
           parts=(("seeds", _ranked("seeds")), ("spread", _ranked("spread")))),
    Column("validation", "validation", "static bits per byte of the validation split",
           _other_split("validation"), _three),
    Column("test", "test", "static bits per byte of the test split", _other_split("test"), _three),
    Column("held_out", "held-out", "static bits per byte of validation and test together",
           _other_split("held_out"), _three, priority=9),
    Column("accuracy", "accuracy", "share of tokens whose most probable guess was right, static",
           lambda cell: cell.row.accuracy, _share, priority=4),
    Column("parameters", "params", "number of parameters", _mean("parameters"), _count, priority=5),
    Column("training_bytes", "bytes", "raw bytes trained on, repeats counted",
           _mean("training_bytes"), _count, priority=8),
    Column("training_seconds", "time", "time of training, with validation",
           _mean("training_seconds"), clock, priority=6),
    Column("peak_memory_bytes", "memory", "peak memory of the training process",
           _of_runs(lambda results: max(result.peak_memory_bytes for result in results)),
           _count, priority=7),
    _text("passed", "best static baseline that is worse than the static score",
          lambda cell: cell.row.passed or None, priority=3),
    _text("method", "how the model learnt for the adaptive score", _of_runs(
        lambda results: next((r.adaptive.method for r in results if r.adaptive), None))),
    _text("proven", "scores that are proven: the compressed split has the size that they say",
          lambda cell: ", ".join(cell.row.proven) or None, priority=3),
    Column("steps", "steps", "number of updates", _mean("steps"), _count),
    _text("seed", "seeds of the runs", _of_all("seed")),
    Column("threads", "threads", "CPU threads of training", _of_all("threads")),
    _text("device", "device it was trained on", _of_all("device")),
    _text("accelerator", "name of the GPU it was trained on", _of_all("accelerator")),
    _text("precision", "number format of the forward pass in training", _of_all("precision")),
    _text("created", "when the newest run was scored",
          _of_runs(lambda results: max(result.created for result in results).isoformat())),
    _text("corpus", "name of the corpus", lambda cell: cell.group.corpus),
    _text("protocol", "how the split was read", lambda cell: cell.group.protocol.words),
)  # fmt: skip
