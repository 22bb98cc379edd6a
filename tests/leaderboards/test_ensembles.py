"""Ensembles are ranked with the runs that they are made of, and say that they are ensembles."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_result import leave

from seqzoo.leaderboards.board import Group, read_board
from seqzoo.leaderboards.leaderboard import leaderboard
from seqzoo.leaderboards.views import board_to_markdown, notes
from seqzoo.results.result import MemberRecord, StartRecord

START = StartRecord(path="runs/other", step=300, weights_sha256="d" * 64)


def member(run: str, digit: str, start: StartRecord | None = None) -> MemberRecord:
    return MemberRecord(run=run, step=60, weights_sha256=digit * 64, weight=0.5, started_from=start)


def rows(group: Group) -> list[str]:
    return [row.name for row in group.rows if row.kind == "run"]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    leave(tmp_path, "one", test=2.6)
    leave(tmp_path, "both", test=2.2, members=(member("one", "1"), member("two", "2")))
    return tmp_path


def test_an_ensemble_is_a_row_among_the_runs_that_names_its_members(runs: Path) -> None:
    board = read_board(runs)
    (group,) = board.groups
    assert rows(group) == ["both", "one"]
    assert "| ensemble of |" in board_to_markdown(board, None)
    assert any("one two" in line for line in board_to_markdown(board, None).splitlines())
    assert any(note.startswith("ensemble of:") for note in notes(board, None))
    assert [row.members for row in leaderboard(runs) if row.kind == "run"] == [("one", "two"), ()]


def test_without_an_ensemble_there_is_no_column_for_them(tmp_path: Path) -> None:
    leave(tmp_path, "one", test=2.6)
    board = read_board(tmp_path)
    assert "ensemble of" not in board_to_markdown(board, None)
    assert not any("ensemble of" in note for note in notes(board, None))


def test_ensembles_of_other_weights_are_not_seeds_of_one_recipe(runs: Path) -> None:
    others = (member("one", "1"), member("three", "3"))
    leave(runs, "both-2", test=2.3, members=others, seed=9)
    (group,) = read_board(runs).groups
    assert rows(group) == ["both", "both-2", "one"]


def test_an_ensemble_with_a_member_that_started_from_a_run_is_ranked_apart(runs: Path) -> None:
    others = (member("one", "1"), member("tuned", "4", START))
    leave(runs, "tuned_too", test=2.0, members=others)
    scratch, started = read_board(runs).groups
    assert rows(scratch) == ["both", "one"]
    assert rows(started) == ["tuned_too"]
