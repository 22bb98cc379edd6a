"""A comparison on the screen and as JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text
from small_comparison import (
    RECIPE,
    adaptive,
    compared,
    compared_pair,
    drawn,
    leave_run,
    make_score,
)

from seqzoo.comparison.differences import Difference
from seqzoo.comparison.to_json import comparison_to_json
from seqzoo.results.result import StartRecord


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("colour", [False, True])
def test_no_line_is_wider_than_the_screen(
    tmp_path: Path, width: int, count: int, colour: bool
) -> None:
    folders = [
        leave_run(
            tmp_path / f"shakespeare_transformer_of_size_{number}",
            score=make_score(number),
            adaptive=adaptive(make_score(number + 50)),
            recipe=RECIPE.replace("seed: 1", f"seed: {number}, prompt: '{'word ' * 30}{number}'"),
            versions={"seqzoo": f"0.{number}"},
            protocol={"name": "static, 1 lane", "lanes": 1 + number // 6},
        )
        for number in range(count)
    ]
    text = drawn(compared(*folders), width, colour=colour)
    plain = Console(width=10_000, file=io.StringIO())
    with plain.capture() as capture:
        plain.print(Text.from_ansi(text))
    lines = capture.get().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    for letter in "ABCDEFG"[:count]:
        assert any(letter in line.split() for line in lines)


def test_every_score_is_printed_with_all_its_digits(tmp_path: Path) -> None:
    folders = [leave_run(tmp_path / str(number), score=make_score(number)) for number in range(5)]
    text = drawn(compared(*folders), 80)
    for number in range(5):
        assert f"{make_score(number).bits_per_byte:.4f}" in text


def test_json_gives_back_every_number_unrounded(tmp_path: Path) -> None:
    comparison = compared_pair(tmp_path, adaptive=adaptive(make_score(3)))
    stored = json.loads(comparison_to_json(comparison))
    for row in comparison.metrics:
        assert list(stored["metrics"][row.key].values()) == list(row.values)
    assert stored["metrics"]["scores.test.bits_per_byte"]["A"] == make_score(1).bits_per_byte
    found, _ = comparison.differences
    assert isinstance(found, Difference)
    difference, lacking = stored["differences"]
    assert lacking["bits_per_byte"] is None
    assert difference["bits_per_byte"] == found.bits_per_byte
    assert tuple(difference["interval"]) == found.interval
    for expected, part in zip(comparison.by_class, stored["by_class"], strict=True):
        assert tuple(part["contribution"].values()) == expected.contributions
        assert tuple(part["bits_per_byte"].values()) == expected.bits_per_byte
    for letter, curve in zip("AB", comparison.curves, strict=True):
        assert [tuple(point) for point in stored["curves"][letter]["training"]] == list(
            curve.training
        )
    assert stored["settings"] == {}


START = StartRecord(path="runs/other", step=1200, weights_sha256="d" * 64)


def test_a_run_that_started_from_other_weights_is_compared_and_named(tmp_path: Path) -> None:
    comparison = compared_pair(tmp_path, started_from=START)
    (found,) = comparison.differences
    assert isinstance(found, Difference)
    sentence = (
        "B started from the weights of step 1,200 of runs/other (sha256 dddddddd); its figures do "
        "not include that earlier training."
    )
    assert comparison.starts == (sentence,)
    assert sentence in " ".join(drawn(comparison, 80).split())
    assert json.loads(comparison_to_json(comparison))["starts"] == [sentence]
    values = {row.key: row.values for row in comparison.metrics}
    assert values["started_from.path"] == (None, "runs/other")


def test_runs_from_scratch_have_no_sentence_about_their_start(tmp_path: Path) -> None:
    comparison = compared_pair(tmp_path)
    assert comparison.starts == ()
    assert "started from" not in drawn(comparison, 120)
