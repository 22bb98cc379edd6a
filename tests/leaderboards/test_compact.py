"""A result that was made smaller shows the same, and shares what is equal in many."""

from __future__ import annotations

import pytest
from small_result import make_result

from seqzoo.leaderboards.compact import Compact
from seqzoo.leaderboards.rows import ladder_rows, ranked, run_rows, united_ladder
from seqzoo.results.result import Result


@pytest.mark.parametrize("split", ["test", "validation", "held_out"])
def test_rows_of_compact_results_are_the_same(split: str) -> None:
    results = [
        make_result(run=f"run-{seed}", seed=seed, learnt=2.0, blocks=[2.0 + seed / 50, 2.5])
        for seed in range(3)
    ]
    compact = Compact(split)

    def rows(of: list[Result]) -> list[tuple[object, ...]]:
        ladder = united_ladder(of)
        found = [
            *ranked(list(run_rows(of, ladder, split=split, each_run=True)), split=split),
            *ladder_rows(ladder, split=split, num_bytes=2000),
        ]
        return [
            (row.name, row.bits_per_byte, row.other_splits, row.other_adaptive, row.rankings,
             row.accuracy, row.passed, row.warnings, [each.seed for each in row.results])
            for row in found
        ]  # fmt: skip

    assert rows([compact(each) for each in results]) == rows(results)


def test_what_is_equal_in_many_results_is_one_object() -> None:
    compact = Compact("test")
    one, other = (
        compact(Result.model_validate_json(make_result().model_dump_json())) for _ in "ab"
    )
    assert one.rungs is other.rungs
    assert one.floor is other.floor
    assert [one.scores[split].blocks for split in ("validation", "test")] == [(), (500.0,) * 10]
