from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from small_result import make_result

from seqzoo.cli.leaderboard import leaderboard
from seqzoo.errors import UsageError
from seqzoo.leaderboard import Board, read_board
from seqzoo.leaderboard_views import as_json, as_markdown, as_table
from seqzoo.results import write_result


def leave(runs: Path, name: str, **changes: Any) -> None:
    (runs / name).mkdir(parents=True)
    write_result(runs / name / "result.json", make_result(run=name, **changes))


def drawn(board: Board, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    for group in board.groups:
        console.print(as_table(group, width=width))
    return console.file.getvalue()  # type: ignore[attr-defined]


def ranks(board: Board) -> dict[str, tuple[int, bool]]:
    return {
        row.name: (row.rank, row.is_shared)
        for group in board.groups
        for row in group.rows
        if row.kind == "run"
    }


def test_runs_are_sorted_by_test_score_among_the_rungs(tmp_path: Path) -> None:
    leave(tmp_path, "worse", test=2.9)
    leave(tmp_path, "better", test=2.2)
    (group,) = read_board(tmp_path).groups
    assert [(row.kind, row.name) for row in group.rows] == [
        ("floor", "true source"),
        ("run", "better"),
        ("baseline", "second"),
        ("run", "worse"),
        ("baseline", "first"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"sha256": "b" * 64},
        {"split": "0.8/0.1/0.1"},
        {"protocol": {"name": "static, 8 lanes", "lanes": 8}},
        {"protocol": {"name": "static, 1 lane", "warmup_tokens": 9}},
        {"protocol": {"name": "static, 1 lane", "adaptive": True}},
    ],
)
def test_unlike_results_are_never_ranked_together(tmp_path: Path, other: dict[str, Any]) -> None:
    leave(tmp_path, "one", test=2.2)
    leave(tmp_path, "other", test=2.9, **other)
    board = read_board(tmp_path)
    assert len(board.groups) == 2
    assert ranks(board) == {"one": (1, False), "other": (1, False)}


def test_a_corpus_is_its_bytes_and_not_its_name(tmp_path: Path) -> None:
    leave(tmp_path, "one")
    leave(tmp_path, "other", corpus_name="another name of the same bytes")
    assert len(read_board(tmp_path).groups) == 1


def test_overlapping_intervals_share_a_rank(tmp_path: Path) -> None:
    leave(tmp_path, "a", test=2.00, half_width=0.06)
    leave(tmp_path, "b", test=2.10, half_width=0.06)
    leave(tmp_path, "c", test=2.20, half_width=0.06)
    # c overlaps b but not a: exactly one run is certainly better than c.
    assert ranks(read_board(tmp_path)) == {"a": (1, True), "b": (1, True), "c": (2, False)}


def test_separate_intervals_are_ranked_one_by_one(tmp_path: Path) -> None:
    for name, test in (("a", 2.0), ("b", 2.1), ("c", 2.2)):
        leave(tmp_path, name, test=test, half_width=0.01)
    expected = {"a": (1, False), "b": (2, False), "c": (3, False)}
    assert ranks(read_board(tmp_path)) == expected


def test_rungs_stand_once_in_each_group(tmp_path: Path) -> None:
    for name in ("a", "b"):
        leave(tmp_path, name)
    (group,) = read_board(tmp_path).groups
    assert sum(row.kind == "baseline" for row in group.rows) == 2


def test_a_damaged_result_is_a_warning_and_not_the_end(tmp_path: Path) -> None:
    leave(tmp_path, "good")
    leave(tmp_path, "bad")
    leave(tmp_path, "empty", scores={})
    (tmp_path / "bad" / "result.json").write_text("{")
    board = read_board(tmp_path)
    assert list(ranks(board)) == ["good"]
    assert len(board.warnings) == 2
    assert str(tmp_path / "bad" / "result.json") in board.warnings[0]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_table_keeps_to_the_width_and_cuts_no_number(tmp_path: Path, width: int) -> None:
    leave(tmp_path, "shakespeare_transformer-12", test=2.345)
    leave(tmp_path, "x" * 70, test=2.456)
    text = drawn(read_board(tmp_path), width)
    assert max(map(len, text.splitlines())) <= width
    assert "2.345" in text
    assert "2.456" in text
    assert "shakespeare_transformer-12" in text
    assert ("validation" in text) == (width >= 120)
    assert "passed rung" in text


def test_a_file_is_no_folder_of_runs(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UsageError, match="is not a folder"):
        leaderboard(tmp_path / "runs")


def test_wider_terminals_show_no_fewer_columns(tmp_path: Path) -> None:
    leave(tmp_path, "run")
    board = read_board(tmp_path)
    shown = [len(drawn(board, width).splitlines()[0].split()) for width in range(60, 160, 4)]
    assert shown == sorted(shown)


def test_markdown_tables_have_equal_columns_and_escape_names(tmp_path: Path) -> None:
    leave(tmp_path, "a|b_c")
    lines = as_markdown(read_board(tmp_path)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert any(r"a\|b\_c" in line for line in table)


def test_json_gives_every_row_unrounded(tmp_path: Path) -> None:
    leave(tmp_path, "run", test=2.123456789)
    board = json.loads(as_json(read_board(tmp_path)))
    rows = board["groups"][0]["rows"]
    (run,) = [row for row in rows if row["kind"] == "run"]
    assert run["bits_per_byte"]["test"] == 2.123456789
    assert run["passed"] == "second"
    assert len(rows) == 4


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_no_results_is_one_friendly_sentence(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    leaderboard(runs=tmp_path / folder)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "seqzoo run" in printed.err
    assert len(printed.err.splitlines()) == 1
    leaderboard(runs=tmp_path / folder, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"groups": [], "warnings": []}


def test_command_prints_table_to_stdout_and_warnings_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(tmp_path, "good")
    leave(tmp_path, "bad")
    (tmp_path / "bad" / "result.json").write_text("[]")
    leaderboard(runs=tmp_path)
    printed = capsys.readouterr()
    assert "good" in printed.out
    assert "not a result" in printed.err
    leaderboard(runs=tmp_path, as_markdown=True)
    assert capsys.readouterr().out.startswith("### ")


def test_json_and_markdown_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose one"):
        leaderboard(runs=tmp_path, as_json=True, as_markdown=True)


def test_no_torch_is_imported(tmp_path: Path) -> None:
    leave(tmp_path, "run")
    program = (
        "import sys, pathlib\n"
        "import seqzoo.baselines, seqzoo.bootstrap\n"
        "from seqzoo.cli.leaderboard import leaderboard\n"
        f"leaderboard(runs=pathlib.Path({str(tmp_path)!r}))\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
