from __future__ import annotations

import numpy as np
import pytest

from seqzoo.results import bootstrap
from seqzoo.results.bootstrap import bootstrap_interval, interval, resample


def found(ends: tuple[float, float] | None) -> tuple[float, float]:
    assert ends is not None
    return ends


@pytest.mark.parametrize("blocks", [1, 2, 9])
def test_a_few_blocks_have_no_interval(blocks: int) -> None:
    assert bootstrap_interval([8.0] * blocks, [1] * blocks) is None
    assert bootstrap_interval([8.0] * 10, [1] * 10) is not None


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    trials, covered = 400, 0
    for trial in range(trials):
        bits = generator.gamma(20.0, 10.0, size=60)  # mean 200 bits in 100 bytes
        low, high = found(
            bootstrap_interval(bits, np.full(60, 100), confidence=0.9, resamples=300, seed=trial)
        )
        covered += low <= 2 <= high
    # The percentile interval of 60 blocks is a little narrow; 3 standard errors are 0.045.
    assert 0.84 <= covered / trials <= 0.945


def test_width_shrinks_with_the_root_of_the_number_of_blocks() -> None:
    bits = np.random.default_rng(1).normal(1500, 200, size=6400)
    few = np.ptp(found(bootstrap_interval(bits[:400], np.full(400, 1000))))
    many = np.ptp(found(bootstrap_interval(bits, np.full(6400, 1000), resamples=500)))
    assert few / many == pytest.approx(4, rel=0.2)


def test_equal_blocks_have_no_width() -> None:
    low, high = found(bootstrap_interval([80.0] * 12, [10] * 12))
    assert low == pytest.approx(8, abs=1e-12)
    assert high == pytest.approx(8, abs=1e-12)


def test_blocks_weigh_what_they_hold() -> None:
    # One byte that cost 100 bits cannot move the score of 10,000 others far.
    low, high = found(bootstrap_interval([700.0] * 10 + [70.0], [1000] * 10 + [1]))
    assert high < 0.8
    assert low > 0.69


def test_same_seed_gives_the_same_interval_in_any_number_of_portions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bits = np.random.default_rng(2).normal(1500, 200, size=50)
    first = bootstrap_interval(bits, [1000] * 50, seed=3)
    monkeypatch.setattr(bootstrap, "_DRAWS_AT_ONCE", 120)
    assert bootstrap_interval(bits, [1000] * 50, seed=3) == first
    assert bootstrap_interval(bits, [1000] * 50, seed=4) != first


@pytest.mark.parametrize(
    ("bits", "sizes"), [([], []), ([1.0], [0]), ([1.0, 2.0], [1]), ([[1.0]], [[1]])]
)
def test_blocks_that_are_none_are_refused(bits: list[float], sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="block"):
        bootstrap_interval(bits, sizes)


def test_the_difference_of_two_scores_is_paired() -> None:
    generator = np.random.default_rng(5)
    hard = generator.normal(2000, 300, size=50)  # the blocks differ much more than the scores
    bits = np.stack([hard, hard + 20 + generator.normal(0, 2, size=50)])
    drawn = resample(bits, np.full(50, 1000))
    low, high = interval(drawn[:, 1] - drawn[:, 0])
    assert 0.019 < low < high < 0.021
    one, other = interval(drawn[:, 0]), interval(drawn[:, 1])
    assert one[1] > other[0]  # apart, each alone is far wider than their difference


def test_equal_scores_never_differ() -> None:
    bits = np.random.default_rng(6).normal(2000, 300, size=333)
    drawn = resample(np.stack([bits, bits + 1, bits]), np.full(333, 1000))
    assert (drawn[:, 0] == drawn[:, 2]).all()


def test_resampling_equals_a_loop_over_drawn_blocks() -> None:
    generator = np.random.default_rng(7)
    bits, sizes = generator.random((2, 9)) * 1000, np.array([1000] * 8 + [137])
    drawn = np.random.default_rng(3).integers(9, size=(20, 9))
    expected = [
        [sum(row[i] for i in blocks) / sum(sizes[i] for i in blocks) for row in bits]
        for blocks in drawn
    ]
    np.testing.assert_allclose(resample(bits, sizes, resamples=20, seed=3), expected, rtol=1e-12)
