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

__all__ = ["row_filter"]

_CONDITION = re.compile(r"\s*([^<>=!]*[^<>=!\s])\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*", re.DOTALL)
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "%": 0.01}

Test = Callable[[Cell], bool]


def row_filter(conditions: Iterable[str], *, kind: str) -> Callable[[Group, Row], bool]:
    """Whether a row matches every condition.

    conditions: `column=pattern`, with patterns as in file names, or `column!=pattern`, its
    opposite; or `<`, `<=`, `>` or `>=` and a number, which a row without a value does not match. k,
    M, G and % can follow a number. Raises UsageError for another condition.
    """
    tests = [_test(condition) for condition in conditions]

    def keep(group: Group, row: Row) -> bool:
        cell = Cell(group, row, kind)
        return all(test(cell) for test in tests)

    return keep


def _test(condition: str) -> Test:
    parts = _CONDITION.fullmatch(condition)
    if parts is None:
        raise UsageError(
            f"'{condition}' is not a filter; write COLUMN=PATTERN or COLUMN<NUMBER in quotes, such "
            f"as 'run=quick*' or 'static<2.2'."
        )
    name, sign, wanted = parts.groups()
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
    limit = _number(wanted)
    if limit is None:
        raise UsageError(
            f"'{column.key}{sign}{wanted}' needs a number after {sign}, such as "
            f"'{column.key}{sign}2.5' in quotes."
        )
    compare = _ORDER[sign]

    def test(cell: Cell) -> bool:
        number = column.number_of(cell)
        return number is not None and compare(number, limit)

    return test


def _equals(column: Column, pattern: str) -> Test:
    """As the value is stored, as it is shown, or as a number."""
    limit = _number(pattern) if column.is_number else None

    def test(cell: Cell) -> bool:
        value = column.value(cell)
        texts = {"" if value is None else str(value), column.show(cell)}
        return any(fnmatchcase(text, pattern) for text in texts) or (
            limit is not None and column.number_of(cell) == limit
        )

    return test


def _number(text: str) -> float | None:
    parts = re.fullmatch(r"([-+]?[0-9.,_]+(?:[eE][-+]?[0-9]+)?)\s*([kMG%]?)", text)
    try:
        number = float(parts[1].replace(",", "")) * _UNITS[parts[2]] if parts else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
