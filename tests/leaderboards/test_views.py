"""A board in every form that it is shown in."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from html_pages import PageReader
from rich.console import Console
from small_result import leave

from seqzoo.cli.leaderboard import leaderboard
from seqzoo.errors import UsageError
from seqzoo.leaderboards.board import Board, read_board
from seqzoo.leaderboards.columns import COLUMNS, chosen_columns
from seqzoo.leaderboards.table import group_to_text
from seqzoo.leaderboards.views import (
    board_to_csv,
    board_to_html,
    board_to_json,
    board_to_markdown,
    notes,
)


def drawn(board: Board, width: int) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width)
    for group in board.groups:
        console.print(group_to_text(group, None, kind=board.sorted_by, width=width))
    return file.getvalue()


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    leave(tmp_path, "shakespeare_transformer-12", test=2.345, learnt=2.1)
    leave(tmp_path, "x" * 70 + "-seed_1", test=2.456, fingerprint="f", seed=1)
    leave(tmp_path, "x" * 70 + "-seed_2", test=2.466, fingerprint="f", seed=2)
    return tmp_path


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_a_table_is_not_wider_than_the_terminal_and_cuts_no_number(runs: Path, width: int) -> None:
    text = drawn(read_board(runs), width)
    assert max(map(len, text.splitlines())) <= width
    for expected in ("2.345", "2.461", "2.100", "1 ±?", "2 ±0.007", "shakespeare_transformer-12"):
        assert expected in text
    assert "passed" in text
    if width >= 120:
        assert all(title in text for title in ("params", "time", "memory", "bytes", "accuracy"))


def test_wider_terminals_show_no_fewer_columns(runs: Path) -> None:
    board = read_board(runs)
    shown = [len(drawn(board, width).splitlines()[0].split()) for width in range(60, 180, 4)]
    assert shown == sorted(shown)


def test_an_empty_line_comes_before_the_rows_without_a_score_of_the_kind(runs: Path) -> None:
    lines = drawn(read_board(runs), 80).splitlines()
    gap = next(number for number, line in enumerate(lines) if not line.strip())
    assert "first" in lines[gap - 1]
    assert "fourth" in lines[gap + 1]


def test_markdown_tables_have_equal_columns_and_escape_names(tmp_path: Path) -> None:
    leave(tmp_path, "a|b_c")
    lines = board_to_markdown(read_board(tmp_path), None).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert any(r"a\|b\_c" in line for line in table)


HOSTILE = "x\n# heading\x1b]0;t\a\u202e\x85|`<b>[a](b)\r\t"


def controls(text: str) -> set[str]:
    """Characters that control a terminal or reorder text, newlines apart."""
    return {each for each in text if unicodedata.category(each) in ("Cc", "Cf")} - {"\n"}


@pytest.mark.parametrize("form", [board_to_markdown, board_to_html, board_to_csv])
def test_a_name_from_a_stranger_is_one_line_without_control_characters(
    tmp_path: Path, form: Callable[[Board, None], str]
) -> None:
    leave(tmp_path, "plain")
    expected = form(read_board(tmp_path), None).count("\n")
    shutil.rmtree(tmp_path / "plain")
    leave(tmp_path, HOSTILE.replace("/", ""), corpus_name=HOSTILE, architecture=HOSTILE)
    text = form(read_board(tmp_path), None)
    assert text.count("\n") == expected
    assert not controls(text)
    assert "]0;t" in text.replace("\\", "")


def test_a_table_in_the_terminal_has_a_line_for_each_row(tmp_path: Path) -> None:
    leave(tmp_path, HOSTILE.replace("/", ""), corpus_name=HOSTILE)
    board = read_board(tmp_path)
    lines = drawn(board, 200).rstrip("\n").split("\n")
    gaps = lines.count("")
    assert len(lines) - gaps == 1 + len(board.groups[0].rows)
    assert not controls("\n".join(lines))


def test_json_keeps_names_as_they_are(tmp_path: Path) -> None:
    leave(tmp_path, HOSTILE.replace("/", ""), corpus_name=HOSTILE)
    group = json.loads(board_to_json(read_board(tmp_path)))["groups"][0]
    assert group["corpus"]["name"] == HOSTILE
    assert HOSTILE.replace("/", "") in {row["name"] for row in group["rows"]}


def test_markdown_shows_a_name_and_obeys_no_markup_in_it(tmp_path: Path) -> None:
    for name in ("[a](b)", "<!-- end of leaderboard -->", "![x]", "&lt;", "~~y~~", "`z`"):
        leave(tmp_path, name)
    text = board_to_markdown(read_board(tmp_path), None)
    for markup in "[]<>&~`":
        assert not re.search(rf"(?<!\\){re.escape(markup)}", text), markup
    assert "<!-- end of leaderboard -->" not in text


@pytest.mark.parametrize(
    "first", ["=", "+", "-", "@", "\t=", "\r=", " =", "\N{FULLWIDTH EQUALS SIGN}"]
)
def test_no_csv_cell_is_a_formula(tmp_path: Path, first: str) -> None:
    leave(tmp_path, f"{first}1+1", architecture=f"{first}cmd", learnt=2.0)
    leave(tmp_path, "tied")
    text = board_to_csv(read_board(tmp_path), COLUMNS)
    cells = [cell for line in csv.reader(io.StringIO(text)) for cell in line]
    begin = ("=", "+", "-", "@", "\t", "\r", "\n", "\N{FULLWIDTH EQUALS SIGN}")
    assert [cell for cell in cells if cell.strip(" ").startswith(begin)] == []
    assert any("1+1" in cell for cell in cells)


def test_json_gives_every_row_unrounded(tmp_path: Path) -> None:
    leave(tmp_path, "run", test=2.123456789, learnt=2.0)
    board = json.loads(board_to_json(read_board(tmp_path)))
    rows = board["groups"][0]["rows"]
    (run,) = [row for row in rows if row["kind"] == "run"]
    assert run["bits_per_byte"] == {"static": 2.123456789, "adaptive": 2.0}
    assert run["standings"]["static"]["spread"] is None
    assert run["runs"][0]["adaptive"]["method"] == "dynamic evaluation"
    assert run["passed"] == "second"
    assert len(rows) == 5


def test_csv_has_a_line_for_each_row_and_raw_numbers(runs: Path) -> None:
    board = read_board(runs)
    lines = list(csv.DictReader(io.StringIO(board_to_csv(board, None))))
    assert len(lines) == len(board.groups[0].rows)
    (line,) = [line for line in lines if line["run"] == "shakespeare_transformer-12"]
    assert float(line["static"]) == 2.345
    assert line["corpus_sha256"] == "a" * 64


def test_every_csv_cell_of_a_column_of_numbers_is_one_number_or_empty(runs: Path) -> None:
    leave(runs, "tied", test=2.345)
    board = read_board(runs)
    lines = list(csv.DictReader(io.StringIO(board_to_csv(board, COLUMNS))))
    keys = [key for column in COLUMNS if column.is_number for key, _ in column.data]
    assert {"rank", "rank_is_shared", "seeds", "spread"} < set(keys)
    for line in lines:
        for key in keys:
            assert line[key] == "" or math.isfinite(float(line[key])), (key, line[key])
    ranks = {line["run"]: (line["rank"], line["rank_is_shared"]) for line in lines}
    assert ranks["tied"] == ranks["shakespeare_transformer-12"] == ("1", "1")
    (mean,) = [line for line in lines if line["seeds"] == "2"]
    assert float(mean["spread"]) == pytest.approx(0.01 / math.sqrt(2))


def test_html_loads_nothing_and_escapes_text(tmp_path: Path) -> None:
    leave(tmp_path, "run", corpus_name="<script>alert(1)</script>")
    leave(tmp_path, "b&b")
    board = read_board(tmp_path)
    page = board_to_html(board, None)
    tables = PageReader(page)
    assert tables.dangers == []
    assert "alert(1)</script>" not in page
    assert len(tables.rows) == 1 + len(board.groups[0].rows)
    assert len({len(row) for row in tables.rows}) == 1
    assert {"run", "b&b"} <= {row[1] for row in tables.rows}


def test_columns_can_be_chosen_and_an_unknown_one_is_refused(runs: Path) -> None:
    columns = chosen_columns(["run", "seed", "static"])
    header, *_ = board_to_csv(read_board(runs), columns).splitlines()
    assert header.endswith("run,seed,static")
    with pytest.raises(UsageError, match="Did you mean 'static'"):
        chosen_columns(["statik"])
    assert len({column.key for column in COLUMNS}) == len(COLUMNS)


@pytest.mark.parametrize("folder", ["empty", "runs"])
def test_a_folder_without_results_is_one_sentence(
    tmp_path: Path,
    folder: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    leaderboard(runs=Path(folder))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "seqzoo run" in printed.err
    assert len(printed.err.splitlines()) == 1
    leaderboard(runs=Path(folder), as_json=True)
    assert json.loads(capsys.readouterr().out)["groups"] == []


def test_the_command_prints_the_table_to_stdout_and_warnings_to_stderr(
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
    leaderboard(runs=tmp_path, as_html=True)
    assert capsys.readouterr().out.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"as_json": True, "as_markdown": True}, "--json and --markdown exclude each other"),
        ({"split": "tset"}, "Did you mean 'test'"),
        ({"sort": "dynamic"}, "not a kind of score"),
        ({"columns": "run,rnk"}, "Did you mean 'rank'"),
        ({"columns": "run", "as_json": True}, "leave --columns out"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    tmp_path: Path, arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        leaderboard(runs=tmp_path, **arguments)  # type: ignore[arg-type]


def test_a_file_is_not_a_folder_of_runs(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UsageError, match="is not a folder"):
        leaderboard(tmp_path / "runs")


def test_a_folder_that_cannot_be_meant_is_refused(runs: Path) -> None:
    with pytest.raises(UsageError, match=f"Did you mean '{runs.name}'"):
        leaderboard(runs.with_name(runs.name + "x"))
    one = runs / "shakespeare_transformer-12"
    (one / "recipe.yaml").touch()
    with pytest.raises(UsageError, match="is a run; give the folder that contains it"):
        leaderboard(one)


def test_chosen_columns_never_cut_a_number(runs: Path) -> None:
    columns = chosen_columns(["run", "method", "recipe", "static", "adaptive", "parameters"])
    file = io.StringIO()
    console = Console(file=file, width=60)
    for group in read_board(runs).groups:
        console.print(group_to_text(group, columns, kind="static", width=60))
    text = file.getvalue()
    for number in ("2.345", "2.461", "2.100", "123k"):
        assert number in text


def test_notes_are_about_the_columns_that_are_shown(runs: Path) -> None:
    board = read_board(runs)
    assert len(notes(board, None)) == 4
    assert notes(board, chosen_columns(["run", "seeds"])) == [notes(board, None)[-1]]
    text = drawn(read_board(runs, split="held_out"), 200)
    assert "held-out" not in text


def test_tables_are_written_into_a_page_between_its_marks(runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    around = "# Title\n\n<!-- leaderboard -->\nold\n<!-- end of leaderboard -->\n\nafter\n"
    page.write_text(around)
    for _ in range(2):
        leaderboard(runs=runs, into=page)
        text = page.read_text()
        assert text.startswith("# Title\n\n<!-- leaderboard -->\n\n### corpus")
        assert text.endswith("<!-- end of leaderboard -->\n\nafter\n")
        assert "old" not in text
        assert text.count("shakespeare\\_transformer") == 1
    page.write_text("no marks")
    with pytest.raises(UsageError, match="no place for the tables"):
        leaderboard(runs=runs, into=page)
    assert page.read_text() == "no marks"


def test_no_torch_is_imported(tmp_path: Path) -> None:
    leave(tmp_path, "run")
    program = (
        "import sys, pathlib\n"
        "import seqzoo.scoring.baselines, seqzoo.results.bootstrap\n"
        "from seqzoo.cli.leaderboard import leaderboard\n"
        f"leaderboard(runs=pathlib.Path({str(tmp_path)!r}))\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_a_condition_that_only_single_runs_match_names_the_option_that_shows_them(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hint = "with --each-run there is a match"
    leaderboard(runs=runs, where=["run=x*", "seed=1"])
    assert hint in capsys.readouterr().err
    leaderboard(runs=runs, where=["run=x*", "seed=3"])
    assert hint not in capsys.readouterr().err
    leaderboard(runs=runs, where=["run=x*", "seed=1"], each_run=True)
    captured = capsys.readouterr()
    assert "2.456" in captured.out
    assert hint not in captured.err
