"""The page of a report: whole, small, self-contained, and safe whatever a text contains."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from commands import SMALL, seqzoo
from html_pages import PageReader

import seqzoo as api
from seqzoo.report.now import Now
from seqzoo.report.page import report_on, report_on_several
from seqzoo.runs.directory import RunDirectory

SECTIONS = (
    "How good is it?",
    "How did it learn?",
    "What did it write?",
    "What did it expect?",
    "What do its units follow?",
    "Where is the loss?",
    "What does the doctor say?",
    "What is special about it?",
    "What does it depend on?",
    "How can it be repeated?",
)
HOSTILE = (
    b"<script>alert(1)</script><img src=x onerror=alert(1)> </pre></section> {{ 7*7 }} {% raw %}"
    b"\"' & &lt; <!-- \x1b]0;t\x07 \x00\x9b \xff\xfe \xe2\x80\xae\xe2\x81\xa6 \xd7\xa9\xd7\x9c\n"
)


@pytest.fixture
def copied(small: api.Run, tmp_path: Path) -> Path:
    shutil.copytree(small.path, tmp_path / "run")
    return tmp_path / "run"


def test_a_page_answers_in_the_order_in_which_people_ask(small: api.Run) -> None:
    text = report_on(small).page
    page = PageReader(text)
    assert page.dangers == []
    assert len(text.encode()) < 400_000
    places = [page.headings.index(heading) for heading in SECTIONS]
    assert places == sorted(places)
    assert "This part could not be made" not in page.text
    assert small.result is not None
    assert f"{small.result.scores['test'].bits_per_byte:.3f} bits per byte" in page.text
    samples = (small.path / "samples").glob("*.txt")
    assert any(path.read_text()[:40] in page.text for path in samples)
    assert text.count("<polyline") == 3  # training, validation, accuracy
    assert text.count('class="token"') == 420
    assert len(page.titles) >= 420


def test_hostile_texts_show_as_themselves_and_execute_nothing(copied: Path) -> None:
    for path in (copied / "samples").iterdir():
        path.write_bytes(HOSTILE * 4)
    (copied / "note.txt").write_bytes(b"mine: " + HOSTILE)
    recipe = copied / "recipe.yaml"
    hostile = 'description: "</title><script>alert(2)</script>\\e[31m\\u202e"'
    recipe.write_text(re.sub("(?m)^description: .*$", lambda _: hostile, recipe.read_text()))
    assert "alert(2)" in recipe.read_text()
    text = report_on(api.open_run(copied)).page
    page = PageReader(text)
    assert page.dangers == []
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    assert "Note: mine: <script>" in page.text
    assert not {character for character in text if ord(character) < 32} - {"\n", "\t"}
    assert not set(text) & {"\x9b", "\u202e", "\u2066"}


def test_a_hostile_corpus_shows_as_itself(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_bytes(HOSTILE * 300)
    changes = {"train.budget.steps": 4, "baselines.include": []}
    run = api.run(
        yaml.safe_load(SMALL), changes, text=tmp_path / "corpus.txt", root=tmp_path, name="h"
    )
    text = report_on(run).page
    page = PageReader(text)
    assert page.dangers == []
    assert not {character for character in text if ord(character) < 32} - {"\n", "\t"}
    assert not set(text) & {"\x9b", "\u202e", "\u2066"}


def test_parts_that_cannot_be_made_are_sentences(copied: Path) -> None:
    origin = copied / "origin.json"
    origin.write_text(origin.read_text().replace('"sha256": "', '"sha256": "0'))
    page = PageReader(report_on(api.open_run(copied)).page)
    assert page.dangers == []
    assert page.text.count("This part could not be made") == 3
    assert "Test: " in page.text


def test_a_run_that_is_not_scored_has_a_page(copied: Path) -> None:
    (copied / "result.json").unlink()
    text = report_on(api.open_run(copied)).page
    page = PageReader(text)
    assert page.dangers == []
    assert "seqzoo resume" in page.text
    assert text.count("<polyline") == 3
    assert "What does it depend on?" not in page.headings


def test_several_runs_are_side_by_side_with_their_differences(copied: Path, small: api.Run) -> None:
    text = report_on_several([small.path, copied]).page
    page = PageReader(text)
    assert page.dangers == []
    assert any(row[0] == "B − A" for row in page.rows)
    assert text.count("<polyline") == 6
    assert "What did they write?" in page.headings


def test_the_command_writes_a_page_and_replaces_nothing_else(copied: Path) -> None:
    folder = copied.parent
    done = seqzoo("report", "run", folder=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "report.html\n"
    first = (folder / "report.html").read_text()
    assert PageReader(first).dangers == []
    assert seqzoo("report", "run", "run", folder=folder).returncode == 0
    assert (folder / "report.html").read_text() != first
    (folder / "mine.html").write_text("mine")
    for output in ("mine.html", "run", "no/where.html"):
        done = seqzoo("report", "run", "-o", output, folder=folder)
        assert done.returncode == 2
        assert output in done.stderr
        assert "loading" not in done.stderr
    assert (folder / "mine.html").read_text() == "mine"
    done = seqzoo("report", "run", "-o", "-", folder=folder)
    assert done.stdout.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing",), "nothing"),
        (("run", "--port", "8000"), "--port is for --live"),
        (("run", "run", "--device", "cpu"), "--device and --trust"),
        (("run", "--live", "--trust"), "--device and --trust"),
        (("run", "run", "--live"), "--live serves one run"),
        (("run", "--live", "-o", "x.html"), "--live serves one run"),
        (("run", "--live", "--port", "70000"), "port 70000 cannot be used"),
        (("nothing", "--live"), "nothing"),
        (("run", "-o", "-", "--open"), "--open needs a file"),
    ],
)
def test_what_cannot_be_reported_is_one_sentence(
    copied: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = seqzoo("report", *arguments, folder=copied.parent)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (copied.parent / "report.html").exists()


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_run_with_few_logged_lines_has_a_page(copied: Path, lines: int) -> None:
    path = copied / "metrics.jsonl"
    validated = [line for line in path.read_text().splitlines() if "validation" in line]
    path.write_text("".join(f"{line}\n" for line in validated[:lines]))
    text = report_on(api.open_run(copied)).page
    page = PageReader(text)
    assert page.dangers == []
    assert ("Nothing" in page.text or "no metrics" in page.text) == (lines == 0)
    assert text.count("<polyline") == (3 if lines else 0)


def test_a_folder_whose_name_is_no_text_has_a_page(copied: Path) -> None:
    strange = copied.parent / os.fsdecode(b"a\xff<b>")
    copied.rename(strange)
    text = report_on(api.open_run(strange)).page
    page = PageReader(text)
    assert page.dangers == []
    assert "a\ufffd<b>" in page.text
    text.encode()


def test_leaves_that_are_too_large_are_named(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqzoo.report.correlations._MAX_ELEMENTS", 1)
    page = PageReader(report_on(api.open_run(copied)).page)
    assert "Not looked at" in page.text


def without_result(run: Path) -> Path:
    (run / "result.json").unlink()
    return run


def test_a_run_that_diverged_says_why_and_is_not_to_be_resumed(copied: Path) -> None:
    (without_result(copied) / "diverged.txt").write_text("The loss stopped being finite.\n")
    shorten(copied)
    page = PageReader(report_on(api.open_run(copied)).page)
    assert "has diverged" in page.text
    assert "The loss stopped being finite." in page.text
    assert "seqzoo resume" not in page.text


def shorten(run: Path) -> None:
    """As if its budget were not spent."""
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("steps: 60", "steps: 90"))


def test_a_run_that_trains_is_not_to_be_resumed(copied: Path) -> None:
    with RunDirectory(without_result(copied)).locked():
        page = PageReader(report_on(api.open_run(copied)).page)
    assert "Training: update 60 of 60." in page.text or "the scores are being made" in page.text
    assert "seqzoo resume" not in page.text


def test_a_run_that_was_trained_longer_says_so(copied: Path) -> None:
    api.resume(copied, {"train.budget.steps": 70})
    page = PageReader(report_on(api.open_run(copied)).page)
    assert "Changed at update 60: train.budget.steps 60 to 70." in page.text
    assert "which gives another result" in page.text
    assert "trains the same run again" not in page.text


@pytest.mark.parametrize("name", ["metrics.jsonl", "timing.jsonl"])
def test_a_damaged_log_leaves_out_the_curves_alone(copied: Path, name: str) -> None:
    with (copied / name).open("ab") as file:
        file.write(b"\xff\xfe\n")
    made = report_on(api.open_run(copied))
    page = PageReader(made.page)
    assert 1 <= page.text.count("This part could not be made") <= 2  # the doctor reads it too
    assert name in page.text
    assert "bits per byte" in page.text
    assert len(made.missing) == 1
    done = seqzoo("report", "run", folder=copied.parent)
    assert done.returncode == 0
    assert "warning: a part of the page could not be made" in done.stderr
    live = Now(copied).text()
    assert name in live
    assert "No sample is written" not in live
    assert "After training" in live


@pytest.mark.parametrize("damage", ["text", "folder"])
def test_a_damaged_result_leaves_out_the_scores_alone(copied: Path, damage: str) -> None:
    result = without_result(copied) / "result.json"
    if damage == "folder":
        result.mkdir()
    else:
        result.write_text("{")
    page = PageReader(report_on(api.open_run(copied)).page)
    assert "not scored" in page.text
    assert "What do its units follow?" in page.headings


def test_a_device_that_is_asked_for_and_not_there_is_an_error(copied: Path) -> None:
    done = seqzoo("report", "run", "--device", "cuda:7", folder=copied.parent)
    assert done.returncode in (2, 3)
    assert "cuda:7" in done.stderr
    assert not (copied.parent / "report.html").exists()


def test_a_page_of_another_kind_is_not_replaced(copied: Path) -> None:
    folder = copied.parent
    board = seqzoo("leaderboard", "--runs", ".", "--html", folder=folder).stdout
    assert board.startswith("<!doctype html>")
    (folder / "board.html").write_text(board)
    done = seqzoo("report", "run", "-o", "board.html", folder=folder)
    assert done.returncode == 2
    assert "board.html exists and is no report of seqzoo" in done.stderr
    assert (folder / "board.html").read_text() == board
