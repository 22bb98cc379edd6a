"""The rows that `seqzoo leaderboard -w` keeps."""

from __future__ import annotations

import csv
import operator
from pathlib import Path

import pytest
from small_result import leave

from seqzoo.errors import UsageError
from seqzoo.leaderboards.board import Board, read_board
from seqzoo.leaderboards.columns import COLUMNS, Cell, chosen_columns
from seqzoo.leaderboards.filters import has_pattern, row_filter
from seqzoo.leaderboards.views import board_to_csv

LONG = "x" * 70
FIRST = "shakespeare_transformer-12"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    leave(tmp_path, FIRST, test=2.345, learnt=2.1)
    leave(tmp_path, f"{LONG}-seed_1", test=2.456, fingerprint="f", seed=1)
    leave(tmp_path, f"{LONG}-seed_2", test=2.466, fingerprint="f", seed=2)
    return tmp_path


def names(board: Board) -> set[str]:
    return {row.name for group in board.groups for row in group.rows}


def kept(runs: Path, *conditions: str) -> set[str]:
    return names(read_board(runs, keep=row_filter(conditions, kind="static")))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["kind=run"], {FIRST, LONG}),
        (["run=shake*", "kind=run"], {FIRST}),
        (["kind=baseline", "run=s*"], {"second"}),
        (["architecture=a network"], {FIRST, LONG}),
        (["rank=1"], {FIRST}),
        (["seeds=2*"], {LONG}),
        (["seeds=2"], {LONG}),
        (["run=nothing"], set()),
        (["static<2.4", "kind=run"], {FIRST}),
        (["static<=2.345", "kind=run"], {FIRST}),
        (["static=2.345"], {FIRST}),
        (["static==2.345"], {FIRST}),
        (["static<2.345", "kind=run"], set()),
        ([" static >= 2.4 ", "kind=run"], {LONG}),
        (["seeds>1"], {LONG}),
        (["rank>1"], {LONG}),
        (["adaptive<9", "kind=run"], {FIRST}),
        (["adaptive>=0", "kind=run"], {FIRST}),
        (["adaptive!=", "kind=run"], {FIRST}),
        (["run!=x*", "kind=run"], {FIRST}),
        (["kind!=baseline", "kind!=floor"], {FIRST, LONG}),
    ],
)
def test_rows_are_kept_where_every_condition_matches(
    runs: Path, conditions: list[str], expected: set[str]
) -> None:
    assert kept(runs, *conditions) == expected


@pytest.mark.parametrize(
    ("sign", "compare"),
    [("<", operator.lt), ("<=", operator.le), (">", operator.gt), (">=", operator.ge)],
)
def test_a_comparison_keeps_what_the_numbers_of_the_board_say(
    runs: Path, sign: str, compare: object
) -> None:
    board = read_board(runs)
    for column in (column for column in COLUMNS if column.is_number and column.number is None):
        numbers = {
            row.name: column.value(Cell(group, row, "static"))
            for group in board.groups
            for row in group.rows
        }
        for limit in {number for number in numbers.values() if isinstance(number, (int, float))}:
            expected = {
                name
                for name, number in numbers.items()
                if isinstance(number, (int, float)) and compare(number, limit)  # type: ignore[operator]
            }
            assert kept(runs, f"{column.key}{sign}{limit!r}") == expected


@pytest.mark.parametrize("condition", ["run=x*", "passed=*", "adaptive=", "static=2.345"])
def test_not_equal_keeps_exactly_the_other_rows(runs: Path, condition: str) -> None:
    every, equal = names(read_board(runs)), kept(runs, condition)
    assert kept(runs, condition.replace("=", "!=", 1)) == every - equal


def test_a_column_can_be_named_by_its_title_and_a_number_can_have_a_unit(runs: Path) -> None:
    every = kept(runs, "parameters>0")
    (count,) = {run for run in every if run == FIRST}
    for condition in ("params>=0.001k", "parameters<1G", "params<1e12", "params<1,000,000M"):
        assert count in kept(runs, condition)
    assert kept(runs, "accuracy>0%") == kept(runs, "accuracy>0.0")
    assert kept(runs, "accuracy>100%") == set()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("quick", r"COLUMN=PATTERN or COLUMN<NUMBER in quotes"),
        ("<3", r"COLUMN=PATTERN"),
        ("", r"COLUMN=PATTERN"),
        ("static<", r"needs a number after <.*in quotes"),
        ("static<many", r"needs a number after <"),
        ("static<nan", r"needs a number"),
        ("static<1.2.3", r"needs a number"),
        ("run<3", r"'run' has no numbers .* static, adaptive,"),
        ("statik<3", r"Did you mean 'static'"),
        ("zzz=3", r"Choose from: rank, run,"),
    ],
)
def test_a_wrong_condition_is_one_sentence(condition: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected) as error:
        row_filter([condition], kind="static")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("condition", "is_kept"),
    [
        ("parameters>=123k", True),  # 123456, which the table shows as 123k
        ("parameters<=123k", True),
        ("parameters=123k", True),
        ("parameters!=123k", False),
        ("parameters>=123000", True),
        ("parameters<123k", False),
        ("parameters>=123456", True),
        ("parameters>=123457", False),
        ("parameters<=122k", False),
        ("static<=2.345", True),
        ("static<=2.3", False),
        ("static<=2", False),
        ("accuracy<=50%", True),
        ("training_seconds<1:36", True),  # 95.2 s, which the table shows as 1:35
        ("time<=1:35", True),
        ("training_seconds=1:35", True),
        ("training_seconds<=0:01:35", True),
        ("training_seconds<1:35", False),
        ("training_seconds<96s", True),
        ("training_seconds<95s", False),
        ("training_seconds<2m", True),
        ("training_seconds<1m", False),
        ("training_seconds>1.5m", True),
        ("training_seconds<1h", True),
        ("training_seconds>1:00:00", False),
    ],
)
def test_a_number_is_compared_as_it_is_stored_or_as_the_table_shows_it(
    tmp_path: Path, condition: str, is_kept: bool
) -> None:
    leave(tmp_path, FIRST, test=2.345, parameters=123456, training_seconds=95.2)
    assert (FIRST in kept(tmp_path, condition, "kind=run")) == is_kept


@pytest.mark.parametrize("wanted", ["soon", "1:2:3:4", "1:5", "3k", "9%"])
def test_a_wrong_time_is_answered_with_times_as_the_table_shows_them(wanted: str) -> None:
    with pytest.raises(UsageError, match=r"needs a time after <, such as 'training_seconds<1:30'"):
        row_filter([f"training_seconds<{wanted}"], kind="static")


@pytest.mark.parametrize(
    ("condition", "is_pattern"),
    [("run=x", True), ("run!=x*", True), ("static=*", True), ("static<2", False),
     ("static==6", False), ("training_seconds=1:12", False), ("parameters!=25k", False)],
)  # fmt: skip
def test_a_condition_with_a_number_has_no_pattern(condition: str, is_pattern: bool) -> None:
    assert has_pattern(condition) == is_pattern


def test_a_count_that_seeds_share_is_a_whole_number(tmp_path: Path) -> None:
    leave(tmp_path, "a-1", test=2.4, fingerprint="f", seed=1)
    leave(tmp_path, "a-2", test=2.5, fingerprint="f", seed=2)
    table = board_to_csv(read_board(tmp_path), chosen_columns(["run", "parameters", "steps"]))
    for line in csv.DictReader(table.splitlines()):
        assert line["parameters"] in ("", "123456")
        assert "." not in line["steps"]
