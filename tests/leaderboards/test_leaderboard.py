"""The leaderboard for scripts: plain rows that agree with what the command prints."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from small_result import leave, make_result

from seqzoo.errors import UsageError
from seqzoo.leaderboards.board import read_board
from seqzoo.leaderboards.columns import Cell, chosen_columns
from seqzoo.leaderboards.leaderboard import LeaderboardRow, leaderboard
from seqzoo.leaderboards.views import board_to_json
from seqzoo.results.result import StartRecord


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    leave(tmp_path, "worse", test=2.9)
    leave(tmp_path, "x-seed_1", test=2.29, learnt=2.1, fingerprint="f", seed=1)
    leave(tmp_path, "x-seed_2", test=2.31, learnt=1.9, fingerprint="f", seed=2)
    leave(tmp_path, "sweep/elsewhere", test=1.9, sha256="b" * 64)
    leave(tmp_path, "tuned", test=2.0, started_from=StartRecord(path="a", weights_sha256="d"))
    return tmp_path


def by_name(rows: tuple[LeaderboardRow, ...]) -> dict[str, LeaderboardRow]:
    return {row.name: row for row in rows if row.kind == "run"}


def test_a_row_has_what_is_known_of_its_runs(runs: Path) -> None:
    row = by_name(leaderboard(runs))["x"]
    assert row.static == {split: pytest.approx(2.3) for split in ("validation", "test", "held_out")}
    assert row.adaptive["validation"] == pytest.approx(2.0)
    assert (row.rank, row.is_shared, row.ranked_by, row.split) == (1, False, "static", "test")
    assert (row.runs, row.seeds) == (("x-seed_1", "x-seed_2"), (1, 2))
    assert row.spread == pytest.approx(0.0002**0.5)
    assert row.interval is not None
    assert row.interval[0] < 2.3 < row.interval[1]
    assert (row.architecture, row.parameters, row.passed) == ("a network", 123456, "second")
    assert row.started_from == ()


def test_baselines_and_the_floor_have_scores_and_no_rank(runs: Path) -> None:
    rows = [row for row in leaderboard(runs) if row.group == 0 and row.kind != "run"]
    assert {row.kind for row in rows} == {"baseline", "floor"}
    second = next(row for row in rows if row.name == "second")
    assert (second.static["test"], second.adaptive["held_out"]) == (2.7, 2.4)
    of_runs = (second.rank, second.interval, second.architecture, second.parameters)
    assert of_runs == (None, None, None, None)
    assert (second.runs, second.seeds) == ((), ())


def test_rows_of_one_group_are_comparable_and_others_are_not(runs: Path) -> None:
    rows = by_name(leaderboard(runs))
    assert rows["x"].group == rows["worse"].group
    assert len({rows[name].group for name in ("x", "sweep/elsewhere", "tuned")}) == 3
    together = by_name(leaderboard(runs, with_started=True))
    assert together["tuned"].group == together["x"].group
    assert (together["tuned"].rank, together["tuned"].started_from) == (1, ("a",))


@pytest.mark.parametrize(
    "options",
    [{}, {"sort": "adaptive"}, {"split": "validation"}, {"each_run": True}, {"with_started": True}],
)
def test_the_command_and_the_function_agree(runs: Path, options: dict[str, Any]) -> None:
    board = read_board(runs, **options)
    rows = leaderboard(runs, **options)
    columns = chosen_columns(["run", "rank", "static", "adaptive", "corpus"])
    printed = [
        [column.value(Cell(group, row, board.sorted_by)) for column in columns]
        for group in board.groups
        for row in group.rows
    ]
    assert printed == [
        [
            row.name,
            None if row.rank is None else f"{'=' if row.is_shared else ''}{row.rank}",
            row.static.get(row.split),
            row.adaptive.get(row.split),
            row.corpus,
        ]
        for row in rows
    ]
    groups = json.loads(board_to_json(board))["groups"]
    stored = [row for group in groups for row in group["rows"]]
    assert [row["other_adaptive"] for row in stored] == [
        {split: bits for split, bits in row.adaptive.items() if split != row.split} for row in rows
    ]


def test_nothing_is_printed_and_a_damaged_result_is_a_warning(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = leaderboard(str(runs))
    (runs / "worse" / "result.json").write_text("{")
    with pytest.warns(UserWarning, match="result.json is damaged") as caught:
        rows = leaderboard(runs)
    assert caught[0].filename == __file__
    assert len(rows) == len(whole) - 1
    assert capsys.readouterr() == ("", "")


def test_a_folder_without_runs_has_no_rows(tmp_path: Path) -> None:
    assert leaderboard(tmp_path) == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "tset"}, "Did you mean 'test'"),
        ({"sort": "statik"}, "Did you mean 'static'"),
    ],
)
def test_a_wrong_option_is_one_sentence(runs: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        leaderboard(runs, **options)


def test_a_folder_that_is_not_there_is_refused(runs: Path) -> None:
    with pytest.raises(UsageError, match=f"Did you mean '{runs.name}'"):
        leaderboard(runs.with_name(runs.name + "x"))


def test_neither_torch_nor_a_plugin_is_imported(runs: Path) -> None:
    program = (
        "import sys\n"
        "from seqzoo.leaderboards.leaderboard import leaderboard\n"
        f"assert leaderboard({str(runs)!r})\n"
        "for name in ('torch', 'seqzoo_plugins'):\n"
        "    assert name not in sys.modules, f'{name} was imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_a_row_of_one_run_is_that_run(tmp_path: Path) -> None:
    leave(tmp_path, "run", learnt=2.0)
    result = make_result(learnt=2.0)
    (row,) = by_name(leaderboard(tmp_path)).values()
    assert row.static == {split: score.bits_per_byte for split, score in result.scores.items()}
    assert result.adaptive is not None
    assert row.adaptive == {
        split: score.bits_per_byte for split, score in result.adaptive.scores.items()
    }
    assert (row.spread, row.recipe, row.training_seconds) == (None, result.recipe, 95.0)
