"""Which rows of a leaderboard are shown: `run=quick*`, `static<2.2`, `parameters>=1M`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from seqzoo.errors import UsageError
from seqzoo.leaderboards.board import Group
from seqzoo.leaderboards.columns import COLUMNS, Cell, Column, chosen_columns
from seqzoo.leaderboards.rows import Row
from seqzoo.terminal.format import clock

__all__ = ["has_pattern", "row_filter"]

_CONDITION = re.compile(r"\s*([^<>=!]*[^<>=!\s])\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*", re.DOTALL)
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "%": 0.01}
_TIMES = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}

Test = Callable[[Cell], bool]


def row_filter(conditions: Iterable[str], *, kind: str) -> Callable[[Group, Row], bool]:
    """Whether a row matches every condition.

    conditions: `column=pattern`, with patterns as in file names, or `column!=pattern`, its
    opposite; or `<`, `<=`, `>` or `>=` and a number, which a row without a value does not match. k,
    M, G and % can follow a number; a time is 90, 90s, 1.5m, 2h or 1:30. A value is equal to what
    the table shows for it, too. Raises UsageError for another condition.
    """
    tests = [_test(condition) for condition in conditions]

    def keep(group: Group, row: Row) -> bool:
        cell = Cell(group, row, kind)
        return all(test(cell) for test in tests)

    return keep


def has_pattern(condition: str) -> bool:
    """Whether a correct condition has a pattern for texts, and not a number."""
    name, sign, wanted = _parts(condition)
    [column] = chosen_columns([name])
    return sign not in _ORDER and not (column.is_number and _number(column, wanted) is not None)


def _parts(condition: str) -> tuple[str, str, str]:
    parts = _CONDITION.fullmatch(condition)
    if parts is None:
        raise UsageError(
            f"'{condition}' is not a filter; write COLUMN=PATTERN or COLUMN<NUMBER in quotes, such "
            f"as 'run=quick*' or 'static<2.2'."
        )
    name, sign, wanted = parts.groups()
    return name, sign, wanted


def _test(condition: str) -> Test:
    name, sign, wanted = _parts(condition)
    [column] = chosen_columns([name])
    if sign in _ORDER:
        return _compares(column, sign, wanted)
    equals = _equals(column, wanted)
    return (lambda cell: not equals(cell)) if sign == "!=" else equals


def _compares(column: Column, sign: str, wanted: str) -> Test:
    if not column.is_number:
        known = ", ".join(each.key for each in COLUMNS if each.is_number)
        raise UsageError(
            f"column '{column.key}' has no numbers that {sign} can compare; write "
            f"'{column.key}=PATTERN', or choose from: {known}."
        )
    limit = _number(column, wanted)
    if limit is None:
        needs, such = ("a time", "1:30' or '90s") if _is_time(column) else ("a number", "2.5")
        raise UsageError(
            f"'{column.key}{sign}{wanted}' needs {needs} after {sign}, such as "
            f"'{column.key}{sign}{such}' in quotes."
        )
    compare = _ORDER[sign]

    def test(cell: Cell) -> bool:
        number = column.number_of(cell)
        if number is None:
            return False
        # What the table shows as 25.1k is at least 25.1k.
        return compare(number, limit) or ("=" in sign and _is_shown(column, cell, limit))

    return test


def _equals(column: Column, pattern: str) -> Test:
    """As the value is stored, as it is shown, or as a number."""
    limit = _number(column, pattern) if column.is_number else None

    def test(cell: Cell) -> bool:
        value = column.value(cell)
        texts = {"" if value is None else str(value), column.show(cell)}
        return any(fnmatchcase(text, pattern) for text in texts) or (
            limit is not None
            and (column.number_of(cell) == limit or _is_shown(column, cell, limit))
        )

    return test


def _is_time(column: Column) -> bool:
    return column.text is clock


def _is_shown(column: Column, cell: Cell, limit: float) -> bool:
    """Whether the table shows this number, which is rounded."""
    shown = _number(column, column.show(cell))
    return shown is not None and math.isclose(shown, limit)


def _number(column: Column, text: str) -> float | None:
    units = _TIMES if _is_time(column) else _UNITS
    if _is_time(column) and (parts := re.fullmatch(r"(?:(\d+):)?(\d+):(\d\d)", text)):
        return int(parts[1] or 0) * 3600.0 + int(parts[2]) * 60 + int(parts[3])
    parts = re.fullmatch(r"([-+]?[0-9.,_]+(?:[eE][-+]?[0-9]+)?)\s*([a-zA-Z%]*)", text)
    if parts is None or parts[2] not in units:
        return None
    try:
        number = float(parts[1].replace(",", "")) * units[parts[2]]
    except ValueError:
        return None
    return number if math.isfinite(number) else None
