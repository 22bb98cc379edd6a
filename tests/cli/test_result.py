"""What a finished run says: sentences, lines that fit, commands that can be pasted."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from small_result import SPLITS, make_result

from seqzoo.cli.result import print_result
from seqzoo.results.ladder import Rung

RUNGS = (
    Rung("uniform", dict.fromkeys(SPLITS, 8.0)),
    Rung(
        "order-3", dict.fromkeys(SPLITS, 2.7), title="an order-3 table", meaning="It counts bytes."
    ),
    Rung("primed bzip2", dict.fromkeys(SPLITS, 2.4), adaptive=True, title="bzip2"),
)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that returns what is printed on a result, in 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def of(path: Path = Path("runs/quick"), **changes: Any) -> str:
        print_result(path, make_result(**({"rungs": RUNGS} | changes)), as_json=False)
        return capsys.readouterr().out

    return of


def test_the_sentences_are_those_of_a_student(said: Any) -> None:
    text = " ".join(said().split())
    assert (
        "Test: 2.500 bits per byte (lower is better). Better than every baseline that does not "
        "learn while it is scored; the closest is an order-3 table (2.700). It counts bytes. All "
        "baselines are described by: seqzoo list baseline Compared with methods that keep learning "
        "while they are scored: worse than bzip2 (2.400), the only one."
    ) in text
    assert "c" * 16 not in text  # the hash of the weights is in result.json


def test_no_line_is_too_long_or_ends_in_a_blank(said: Any) -> None:
    lines = said(learnt=2.2).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line != line.rstrip()] == []


def test_the_commands_can_be_pasted_with_any_path(said: Any) -> None:
    path = Path("läufe und mehr/w'1")
    commands = [
        shlex.split(line.split("  ", 2)[1])
        for line in said(path).splitlines()
        if line.startswith("  seqzoo ")
    ]
    assert commands == [
        ["seqzoo", "sample", str(path)],
        ["seqzoo", "report", str(path)],
        ["seqzoo", "leaderboard", "--runs", str(path.parent)],
        ["seqzoo", "doctor", str(path)],
    ]


def test_a_run_that_beats_no_baseline_is_sent_to_the_doctor_first(said: Any) -> None:
    text = said(test=8.5)
    assert "Worse than every baseline; the closest is uniform (8.000)." in " ".join(text.split())
    (first, *_) = [line for line in text.splitlines() if line.startswith("  seqzoo ")]
    assert first.split("  ")[1] == "seqzoo doctor runs/quick"
    assert "finds what is wrong" in first


def test_the_best_step_is_named_only_where_it_is_not_the_last(said: Any) -> None:
    assert "The weights are those of step 90, the best on validation." in " ".join(said().split())
    assert "The weights" not in said(step=100)


@pytest.mark.parametrize("width", ["40", "200"])
def test_lines_end_between_words_at_any_width(
    said: Any, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    whole = said()
    monkeypatch.setenv("COLUMNS", width)
    other = said()
    sentences = [
        " ".join(text[text.index("Test:") : text.index("Next:")].split()) for text in (whole, other)
    ]
    assert sentences[0] == sentences[1]
