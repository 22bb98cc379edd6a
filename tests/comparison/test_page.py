"""A comparison as a page: what the terminal shows is on it, and nothing in a name is obeyed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from html_pages import PageReader
from small_comparison import adaptive, compared, drawn, leave_run, make_score

from seqzoo.comparison.finished import static_rungs
from seqzoo.comparison.page import comparison_to_html

HOSTILE = "<script>alert(1)</script>\u202e\x1b]0;t\x07\"'&"


@pytest.mark.parametrize("count", [1, 2, 8])
def test_a_page_has_every_number_of_the_terminal(tmp_path: Path, count: int) -> None:
    folders = [
        leave_run(
            tmp_path / str(number), score=make_score(number), adaptive=adaptive(make_score(9))
        )
        for number in range(count)
    ]
    comparison = compared(*folders)
    page = PageReader(comparison_to_html(comparison))
    assert page.dangers == []
    cells = {cell for row in page.rows for cell in row}
    for number in range(count):
        assert f"{make_score(number).bits_per_byte:.4f}" in cells
    numbers = set(re.findall(r"\b\d\.\d{3,}\b", drawn(comparison, 300)))
    assert len(numbers) > 10
    assert numbers <= set(re.findall(r"\b\d\.\d{3,}\b", " ".join(cells)))
    assert len({len(row) for row in page.rows if row[0] in ("architecture", "seed")}) == 1


def test_a_name_is_text_and_its_characters_are_visible(tmp_path: Path) -> None:
    folder = leave_run(tmp_path / HOSTILE.replace("/", ""), architecture=HOSTILE)
    text = comparison_to_html(compared(folder))
    page = PageReader(text)
    assert page.dangers == []
    assert "<script>alert" in page.text
    assert not set(text) & {"\x1b", "\x07", "\u202e"}


def test_shares_of_different_texts_are_those_of_the_first_run(tmp_path: Path) -> None:
    one = leave_run(tmp_path / "one", score=make_score(1))
    score = make_score(2)
    halved = [part.model_copy(update={"bytes": max(1, part.bytes // 2)}) for part in score.by_class]
    other = leave_run(tmp_path / "two", score=score.model_copy(update={"by_class": tuple(halved)}))
    page = PageReader(comparison_to_html(compared(one, other)))
    (heads,) = [row for row in page.rows if row[:1] == ["bytes"] and "share, A" in row[1]] or [[]]
    assert heads
    assert "part of B − A" in heads or heads[1] == "share, A"


@pytest.mark.parametrize("tokens", ["unknown", "bytes", "pairs"])
def test_accuracies_of_tokens_are_not_beside_those_of_bytes(tmp_path: Path, tokens: str) -> None:
    score = make_score(1)
    count = {"unknown": None, "bytes": score.bytes, "pairs": score.bytes // 2}[tokens]
    of_tokens = score.model_copy(update={"tokens": count})
    run = leave_run(tmp_path / "one", score=of_tokens)
    comparison = compared(run)
    titles = [row.title for row in comparison.metrics]
    is_bytes = of_tokens.counts_bytes
    assert is_bytes == (tokens != "pairs")
    assert ("accuracy, test" in titles) == is_bytes
    assert ("accuracy (of tokens), test" in titles) == (not is_bytes)
    shown = any(rung.accuracy for rung in static_rungs(comparison.runs))
    assert shown == (is_bytes and any(rung.accuracy for rung in comparison.runs[0].result.rungs))
