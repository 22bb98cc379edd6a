"""Differences of scores, and where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_comparison import adaptive, compared, compared_pair, drawn, leave_run, make_score

from seqzoo.comparison.compare import compare
from seqzoo.comparison.differences import Difference, NoDifference
from seqzoo.results.result import SplitScore


def test_the_paired_interval_is_that_of_a_naive_bootstrap(tmp_path: Path) -> None:
    (found,) = compared_pair(tmp_path).differences
    assert isinstance(found, Difference)
    first, second = make_score(1), make_score(2, shift=-0.05)
    sizes = [1000] * 20 + [500]
    generator = np.random.default_rng(5)
    changes = []
    for _ in range(4000):
        bits, size = 0.0, 0
        for _ in range(21):
            block = int(generator.integers(21))
            bits += second.blocks[block] - first.blocks[block]
            size += sizes[block]
        changes.append(bits / size)
    # Other draws: an end of the interval is off by about 0.02 of its width.
    low, high = np.quantile(changes, [0.025, 0.975])
    assert found.interval == pytest.approx((low, high), abs=0.1 * (high - low))
    assert found.bits_per_byte == second.bits_per_byte - first.bits_per_byte
    # Paired: the blocks' common difficulty, which varies by 1 bit, does not widen it.
    assert high - low < 0.2


def test_the_verdict_says_which_is_better_and_by_how_much() -> None:
    better = Difference("A", "B", False, -0.169, (-0.178, -0.160))
    assert better.verdict == "B is better by 0.169 (0.160 to 0.178)"
    worse = Difference("A", "B", False, 0.169, (0.160, 0.178))
    assert worse.verdict == "A is better by 0.169 (0.160 to 0.178)"
    slightly = Difference("A", "B", False, -0.00012, (-0.0002, -0.00004))
    assert slightly.verdict == "B is better by 0.00012 (0.00004 to 0.00020)"
    noise = Difference("A", "B", False, -0.1, (-0.3, 0.1))
    assert noise.verdict.startswith("a tie: the difference is within the noise of the split")


def test_swapped_runs_swap_the_sign(tmp_path: Path) -> None:
    comparison = compared_pair(tmp_path)
    swapped = compare(comparison.runs[::-1])
    (one,), (other,) = comparison.differences, swapped.differences
    assert isinstance(one, Difference)
    assert isinstance(other, Difference)
    assert other.bits_per_byte == -one.bits_per_byte
    assert other.interval == pytest.approx((-one.interval[1], -one.interval[0]), abs=1e-12)


def test_a_run_against_itself_is_a_tie_with_zero(tmp_path: Path) -> None:
    score = make_score(1)
    run = leave_run(tmp_path / "run", score=score, adaptive=adaptive(make_score(3)))
    repetition = leave_run(tmp_path / "again", score=score, adaptive=adaptive(make_score(3)))
    for comparison in (compared(run, run), compared(run, repetition)):
        assert [each.adaptive for each in comparison.differences] == [False, True]
        for each in comparison.differences:
            assert isinstance(each, Difference)
            assert each.is_tie
            assert (each.bits_per_byte, each.interval) == (0.0, (0.0, 0.0))
        assert comparison.settings == ()
        assert all(row.contributions[1] == 0 for row in comparison.by_class)


def test_static_is_never_compared_with_adaptive(tmp_path: Path) -> None:
    first = leave_run(tmp_path / "first", score=make_score(1))
    learning: dict[str, Any] = {"protocol": {"name": "adaptive, 1 lane", "adaptive": True}}
    second = leave_run(tmp_path / "second", score=make_score(1), **learning)
    third = leave_run(tmp_path / "third", score=make_score(1), adaptive=adaptive(make_score(2)))
    differences = compared(first, second, third).differences
    assert [type(each) for each in differences] == [NoDifference, Difference, NoDifference]
    assert differences[2] == NoDifference("A", "C", True, "A has no adaptive scores")
    both = compared(third, first, third).differences
    assert [(each.second, each.adaptive, type(each)) for each in both] == [
        ("B", False, Difference),
        ("C", False, Difference),
        ("B", True, NoDifference),
        ("C", True, Difference),
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sha256": "b" * 64, "corpus_name": "verse"}, ["corpus", "verse bbbbbbbb"]),
        ({"split": "0.8/0.1/0.1"}, ["split", "0.8/0.1/0.1"]),
        ({"protocol": {"name": "static, 8 lanes", "lanes": 8}}, ["protocol", "8 lanes"]),
        ({"protocol": {"name": "static, 1 lane", "warmup_tokens": 9}}, ["protocol"]),
        (
            {"split": "0.8/0.1/0.1", "protocol": {"name": "static, 8 lanes", "lanes": 8}},
            ["split", "protocol"],
        ),
    ],
)
def test_runs_that_are_not_comparable_have_no_difference_and_a_reason(
    tmp_path: Path, changes: dict[str, Any], expected: list[str]
) -> None:
    comparison = compared_pair(tmp_path, **changes)
    (found,) = comparison.differences
    assert isinstance(found, NoDifference)
    for words in expected:
        assert words in found.reason
    unnamed = {"corpus", "split", "protocol"} - set(expected)
    assert not any(f"{word} (" in found.reason for word in unnamed)
    rows = comparison.by_class + comparison.by_distance
    assert all(row.contributions == (None, None) for row in rows)
    shown = drawn(comparison, 120)
    assert found.reason in " ".join(shown.split())
    assert "is better" not in shown
    assert "loss curves" in shown


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (make_score(2, block=500), "size of blocks (1,000 and 500)"),
        (make_score(2, size=20_400), "bytes of the split (20,500 and 20,400)"),
        (make_score(2).model_copy(update={"blocks": ()}), "B keeps no scores by block"),
    ],
)
def test_blocks_of_other_sizes_have_no_difference(
    tmp_path: Path, score: SplitScore, expected: str
) -> None:
    first = leave_run(tmp_path / "first", score=make_score(1))
    (found,) = compared(first, leave_run(tmp_path / "second", score=score)).differences
    assert isinstance(found, NoDifference)
    assert expected in found.reason


def test_too_few_bytes_are_no_difference_however_far_the_scores_are(tmp_path: Path) -> None:
    short = [make_score(seed, size=900, block=100, shift=seed) for seed in (1, 3)]
    first, second = (
        leave_run(tmp_path / name, score=score)
        for name, score in zip(("first", "second"), short, strict=True)
    )
    (found,) = compared(first, second).differences
    assert isinstance(found, NoDifference)
    assert "900 bytes, too few" in found.reason
    assert "is better" not in drawn(compared(first, second), 80)


def test_a_run_without_the_split_has_no_difference(tmp_path: Path) -> None:
    first = leave_run(tmp_path / "first", score=make_score(1))
    second = leave_run(tmp_path / "second", scores={"validation": make_score(1)})
    (found,) = compared(first, second).differences
    assert isinstance(found, NoDifference)
    assert found.reason == "B has no score for test"
    drawn(compared(first, second), 80)
    drawn(compared(second, first), 80)


def test_contributions_add_up_to_the_difference(tmp_path: Path) -> None:
    comparison = compared_pair(tmp_path)
    (found,) = comparison.differences
    assert isinstance(found, Difference)
    for rows in (comparison.by_class, comparison.by_distance):
        added = sum(row.contributions[1] or 0 for row in rows)
        assert added == pytest.approx(found.bits_per_byte, rel=1e-9)
        assert sum(row.shares[0] or 0 for row in rows) == pytest.approx(1)


def test_a_class_weighs_its_share_of_bytes(tmp_path: Path) -> None:
    for row in compared_pair(tmp_path).by_class:
        assert row.shares[0] is not None
        (first, second) = row.bits_per_byte
        assert first is not None
        assert second is not None
        assert row.contributions[1] == pytest.approx(row.shares[0] * (second - first))


def test_doublings_of_distance_become_readable_ranges(tmp_path: Path) -> None:
    names = [row.name for row in compared_pair(tmp_path).by_distance]
    assert names == ["0–15", "16–63", "256–1023", "1 k–4 k", "4 k–…"]
