"""Which scores are kept in a result when a run is scored again."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_result import SPLITS, make_result, make_score

from seqzoo.results.result import write_result
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.score import _stored_adaptive
from seqzoo.scoring.static import Protocol

SCORES = dict.fromkeys(SPLITS, make_score([2.5, 2.5]))


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [
        ({}, True),
        ({"weights_sha256": "d" * 64}, False),
        ({"blocks": [2.5, 2.5, 2.5]}, False),
        ({"learnt": None}, False),
    ],
)
def test_adaptive_scores_are_kept_if_weights_and_blocks_are_equal(
    tmp_path: Path, change: dict[str, object], is_kept: bool
) -> None:
    directory = RunDirectory(tmp_path)
    assert _stored_adaptive(directory, "c" * 64, SCORES, Protocol()) is None
    result = make_result(**({"learnt": 2.0} | change))  # type: ignore[arg-type]
    write_result(directory.result, result)
    kept = _stored_adaptive(directory, "c" * 64, SCORES, Protocol())
    assert kept == (result.adaptive if is_kept else None)


def test_adaptive_scores_of_whole_splits_are_not_kept_beside_those_of_the_first_bytes(
    tmp_path: Path,
) -> None:
    directory = RunDirectory(tmp_path)
    write_result(directory.result, make_result(learnt=2.0))
    assert _stored_adaptive(directory, "c" * 64, SCORES, Protocol(max_bytes=2000)) is None


def test_no_scores_of_a_damaged_result_are_kept(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.result.write_text("{")
    assert _stored_adaptive(directory, "c" * 64, SCORES, Protocol()) is None
