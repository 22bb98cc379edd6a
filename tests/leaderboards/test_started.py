"""Runs that started from another run's weights are ranked apart from runs from scratch."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_result import leave

from seqzoo.cli.leaderboard import leaderboard
from seqzoo.leaderboards.board import Board, Group, read_board
from seqzoo.leaderboards.columns import chosen_columns
from seqzoo.leaderboards.views import board_to_csv, board_to_markdown, notes
from seqzoo.results.result import StartRecord

START = StartRecord(path="runs/other", step=300, weights_sha256="d" * 64)


def ranks(group: Group) -> dict[str, int]:
    return {row.name: row.rankings["static"].rank for row in group.rows if row.kind == "run"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    leave(tmp_path, "scratch", test=2.3)
    leave(tmp_path, "tuned", test=2.0, started_from=START)
    leave(tmp_path, "worse", test=2.6)
    return tmp_path


def test_they_are_a_group_of_their_own_after_the_runs_from_scratch(runs: Path) -> None:
    scratch, started = read_board(runs).groups
    assert ranks(scratch) == {"scratch": 1, "worse": 2}
    assert ranks(started) == {"tuned": 1}
    assert started.title.endswith("1 lane, started from other runs: test bits per byte")
    assert "started" not in scratch.title
    assert [group.starts for group in (scratch, started)] == ["scratch", "started"]


def test_they_are_ranked_together_where_that_is_asked_for(runs: Path) -> None:
    (group,) = read_board(runs, with_started=True).groups
    assert ranks(group) == {"tuned": 1, "scratch": 2, "worse": 3}
    assert group.starts == "any"


def shown(board: Board) -> list[str]:
    return board_to_markdown(board, None).splitlines()


def test_each_row_says_which_run_it_started_from_and_a_footnote_explains_it(runs: Path) -> None:
    for board in (read_board(runs), read_board(runs, with_started=True)):
        (line,) = [line for line in shown(board) if "tuned" in line]
        assert "runs/other" in line
        assert sum("runs/other" in line for line in shown(board)) == 1
        assert any("started from" in note for note in notes(board, None))


def test_without_such_runs_there_is_no_column_and_no_footnote(tmp_path: Path) -> None:
    leave(tmp_path, "scratch")
    board = read_board(tmp_path)
    assert "started" not in "\n".join([*shown(board), *notes(board, None)])
    (_, line, *_) = board_to_csv(board, chosen_columns(["run", "started_from"])).splitlines()
    assert line.split(",")[3] == "scratch"


def test_seeds_that_started_from_other_weights_are_other_rows(tmp_path: Path) -> None:
    other = START.model_copy(update={"weights_sha256": "e" * 64})
    leave(tmp_path, "a-seed_1", fingerprint="f", seed=1, started_from=START)
    leave(tmp_path, "a-seed_2", fingerprint="f", seed=2, started_from=START)
    leave(tmp_path, "b-seed_3", fingerprint="f", seed=3, started_from=other)
    (group,) = read_board(tmp_path).groups
    assert {row.name for row in group.rows if row.kind == "run"} == {"a", "b-seed_3"}


def test_the_command_ranks_them_together_with_its_option(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaderboard(runs=runs, as_markdown=True)
    assert capsys.readouterr().out.count("### ") == 2
    leaderboard(runs=runs, as_markdown=True, with_started=True)
    assert capsys.readouterr().out.count("### ") == 1
