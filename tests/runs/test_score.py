"""Which scores are kept in a result when a run is scored again."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_result import SPLITS, make_result, make_score

from seqzoo.results.result import AdaptiveRecord, write_result
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.score import _stored, _stored_adaptive, _with_proofs
from seqzoo.scoring.static import Protocol

SCORES = dict.fromkeys(SPLITS, make_score([2.5, 2.5]))


def _kept(directory: RunDirectory, protocol: Protocol | None = None) -> AdaptiveRecord | None:
    stored = _stored(directory, "c" * 64)
    return None if stored is None else _stored_adaptive(stored, SCORES, protocol or Protocol())


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
    assert _kept(directory) is None
    result = make_result(**({"learnt": 2.0} | change))  # type: ignore[arg-type]
    write_result(directory.result, result)
    assert _kept(directory) == (result.adaptive if is_kept else None)


def test_adaptive_scores_of_whole_splits_are_not_kept_beside_those_of_the_first_bytes(
    tmp_path: Path,
) -> None:
    directory = RunDirectory(tmp_path)
    write_result(directory.result, make_result(learnt=2.0))
    assert _kept(directory, Protocol(max_bytes=2000)) is None


def test_no_scores_of_a_damaged_result_are_kept(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.result.write_text("{")
    assert _kept(directory) is None


def test_a_proof_is_kept_with_the_score_that_it_proves() -> None:
    proven = SCORES["test"].model_copy(update={"proven_bytes": 625})
    scores = {"test": SCORES["test"], "validation": make_score([2.5, 2.6])}
    kept = _with_proofs(scores, {"test": proven, "validation": proven})
    assert kept["test"].proven_bytes == 625
    assert kept["validation"].proven_bytes is None
