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
    assert found[0].text == b"step-10.txt\xff<b>"


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
