from __future__ import annotations

import math

import numpy as np
import pytest

from seqzoo import bootstrap
from seqzoo.bootstrap import bootstrap_interval


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    trials, covered = 400, 0
    for trial in range(trials):
        nats = generator.gamma(20.0, 10.0, size=60)  # mean 200 nats in 100 bytes
        low, high = bootstrap_interval(
            nats, np.full(60, 100), confidence=0.9, resamples=300, seed=trial
        )
        covered += low <= 2 / math.log(2) <= high
    # The percentile interval of 60 blocks is a little narrow; 3 standard errors are 0.045.
    assert 0.84 <= covered / trials <= 0.945


def test_width_shrinks_with_the_root_of_the_number_of_blocks() -> None:
    nats = np.random.default_rng(1).normal(1500, 200, size=6400)
    few = np.ptp(bootstrap_interval(nats[:400], np.full(400, 1000)))
    many = np.ptp(bootstrap_interval(nats, np.full(6400, 1000), resamples=500))
    assert few / many == pytest.approx(4, rel=0.2)


def test_equal_blocks_have_no_width() -> None:
    low, high = bootstrap_interval([80 * math.log(2)] * 7, [10] * 7)
    assert low == pytest.approx(8, abs=1e-12)
    assert high == pytest.approx(8, abs=1e-12)


def test_blocks_weigh_what_they_hold() -> None:
    # One byte that cost 100 bits cannot move the score of 10,000 others far.
    low, high = bootstrap_interval([700.0] * 10 + [70.0], [1000] * 10 + [1])
    assert high < 1.1
    assert low > 1.0


def test_same_seed_gives_the_same_interval_in_any_number_of_portions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nats = np.random.default_rng(2).normal(1500, 200, size=50)
    first = bootstrap_interval(nats, [1000] * 50, seed=3)
    monkeypatch.setattr(bootstrap, "_DRAWS_AT_ONCE", 120)
    assert bootstrap_interval(nats, [1000] * 50, seed=3) == first
    assert bootstrap_interval(nats, [1000] * 50, seed=4) != first


@pytest.mark.parametrize(
    ("nats", "sizes"), [([], []), ([1.0], [0]), ([1.0, 2.0], [1]), ([[1.0]], [[1]])]
)
def test_blocks_that_are_none_are_refused(nats: list[float], sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="block"):
        bootstrap_interval(nats, sizes)
