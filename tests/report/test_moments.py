"""Samples of several moments: the first, the last, and some between; no file is a surprise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seqzoo.report.moments import moments
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.metrics import MetricsLine


def leave(folder: Path, *names: str) -> RunDirectory:
    (folder / "samples").mkdir(parents=True)
    for name in names:
        (folder / "samples" / name).write_bytes(name.encode() + b"\xff<b>")
    return RunDirectory(folder)


def test_the_last_sample_replaces_that_of_its_step_and_has_its_validation(tmp_path: Path) -> None:
    directory = leave(
        tmp_path, "step-10.txt", "step-20.txt", "step-20-1.txt", "step-20-2.txt", "notes.txt",
        "step-9999999999999999999.txt", "step-x.txt",
    )  # fmt: skip
    (tmp_path / "samples" / "step-15.txt").mkdir()
    os.mkfifo(tmp_path / "samples" / "step-16.txt")
    line = MetricsLine(step=20, validation_bits_per_byte=2.5)
    found = moments(directory, [line], at_most=6)
    assert [(each.step, each.is_last, each.bits_per_byte) for each in found] == [
        (10, False, None),
        (20, True, 2.5),
    ]
    assert found[0].text == "step-10.txt\ufffd<b>"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    directory = leave(tmp_path / "run", "step-10.txt")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "run" / "samples" / "step-20.txt").symlink_to(tmp_path / "secret")
    assert [each.step for each in moments(directory, [], at_most=6)] == [10]
    (tmp_path / "run" / "samples").rename(tmp_path / "elsewhere")
    (tmp_path / "run" / "samples").symlink_to(tmp_path / "elsewhere")
    assert moments(directory, [], at_most=6) == []


@pytest.mark.parametrize("size", [699, 700, 701, 5000])
def test_a_long_sample_is_cut_between_characters_and_says_so(tmp_path: Path, size: int) -> None:
    directory = leave(tmp_path)
    text = "x" + "\N{CYRILLIC SMALL LETTER ZHE}" * (size // 2)
    (tmp_path / "samples" / "step-1.txt").write_text(text, encoding="utf-8")
    (found,) = moments(directory, [], at_most=6)
    assert found.num_bytes == len(text.encode())
    if found.num_bytes <= 700:
        assert found.text == text
    else:
        assert found.text.endswith("…")
        assert text.startswith(found.text[:-1])
        assert 698 <= len(found.text[:-1].encode()) <= 700


@pytest.mark.parametrize("at_most", [1, 2, 3, 6, 50])
@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_at_most_so_many_in_order_with_the_last(tmp_path: Path, at_most: int, count: int) -> None:
    directory = leave(tmp_path, *(f"step-{50 * number}.txt" for number in range(1, count + 1)))
    steps = [each.step for each in moments(directory, [], at_most=at_most)]
    assert len(steps) == min(count, at_most)
    assert steps == sorted(set(steps))
    if count:
        assert steps[-1] == 50 * count
    if count > 6 and at_most == 6:
        assert steps[0] == 50
        assert steps[1] < 200  # most changes early
