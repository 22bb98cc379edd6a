"""Better, worse or a tie: paired over blocks, and over seeds where there are several."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqzoo.leaderboards.ranking import NAMED_TIES, rankings
from seqzoo.results.bootstrap import resample

SIZES = np.full(60, 1000.0)


def hard() -> np.ndarray:
    """(60,) bits of blocks that differ among themselves far more than scores do."""
    return np.random.default_rng(0).normal(2200, 300, size=60)


def rows(*offsets: float, noise: float = 10.0, seeds: int = 1) -> list[np.ndarray]:
    """A row for each offset in bits per byte, each block a little off."""
    generator = np.random.default_rng(1)
    return [
        np.stack(
            [hard() + 1000 * offset + generator.normal(0, noise, size=60) for _ in range(seeds)]
        )
        for offset in offsets
    ]


def test_what_is_hard_for_both_cancels() -> None:
    better, worse = rankings(rows(0.0, 0.02), SIZES)
    assert better.interval is not None
    assert worse.interval is not None
    assert better.interval[1] > worse.interval[0]  # each alone is uncertain
    assert (better.rank, worse.rank) == (1, 2)
    assert better.ties == worse.ties == ()


def test_the_same_run_twice_is_a_tie() -> None:
    (one,) = rows(0.0)
    found = rankings([one, one.copy(), one + 30], SIZES)
    assert [(row.rank, row.is_shared, row.ties) for row in found] == [
        (1, True, (1,)),
        (1, True, (0,)),
        (3, False, ()),
    ]


def test_a_rank_is_one_more_than_the_rows_that_are_certainly_better() -> None:
    found = rankings(rows(0.30, 0.0, 0.0005, 0.1), SIZES)
    assert [row.rank for row in found] == [4, 1, 1, 3]
    assert [row.is_shared for row in found] == [False, True, True, False]


def test_one_seed_has_no_spread_and_several_have_their_standard_deviation() -> None:
    (single,) = rankings(rows(0.0), SIZES)
    assert single.spread is None
    (several,) = rankings(rows(0.0, seeds=3), SIZES)
    scores = rows(0.0, seeds=3)[0].sum(axis=1) / SIZES.sum()
    mean = sum(scores) / 3
    deviation = math.sqrt(sum((score - mean) ** 2 for score in scores) / 2)
    assert several.bits_per_byte == pytest.approx(mean, rel=1e-12)
    assert several.spread == pytest.approx(deviation, rel=1e-9)
    assert several.seeds == 3


def test_a_difference_within_the_spread_over_seeds_is_a_tie() -> None:
    steady = [hard()[None] + np.array([[0.0], [1.0], [-1.0]]),
              hard()[None] + np.array([[20.0], [21.0], [19.0]])]  # fmt: skip
    wild = [hard()[None] + np.array([[0.0], [60.0], [-60.0]]),
            hard()[None] + np.array([[20.0], [80.0], [-40.0]])]  # fmt: skip
    assert [row.rank for row in rankings(steady, SIZES)] == [1, 2]
    assert [row.rank for row in rankings(wild, SIZES)] == [1, 1]


@pytest.mark.parametrize("seeds", [1, 3])
def test_equal_models_get_different_ranks_as_rarely_as_the_interval_says(seeds: int) -> None:
    generator = np.random.default_rng(2)
    trials, apart = 200, 0
    for trial in range(trials):
        scores = []
        for _ in range(2):
            luck = generator.normal(0, 30, size=(seeds, 1)) if seeds > 1 else 0.0
            scores.append(hard() + luck + generator.normal(0, 40, size=(seeds, 60)))
        found = rankings(scores, SIZES, seed=trial)
        apart += found[0].rank != found[1].rank
    # 5 % of 200 are 10 with a deviation of 3; Behrens and Fisher's interval of few seeds is wide.
    assert apart <= 20
    if seeds == 1:
        assert apart >= 2


def naive(scores: list[np.ndarray]) -> list[tuple[int, int, bool]]:
    """Rank, number of ties and whether one shares the rank, pair by pair, of one seed each."""
    drawn = resample(np.concatenate(scores), SIZES)
    better = [[(a < b).mean() > 0.975 for a in drawn.T] for b in drawn.T]
    ranks = [1 + sum(row) for row in better]
    ties = [
        [j for j in range(len(ranks)) if j != i and not better[i][j] and not better[j][i]]
        for i in range(len(ranks))
    ]
    return [
        (ranks[i], len(ties[i]), any(ranks[j] == ranks[i] for j in ties[i]))
        for i in range(len(ranks))
    ]


def test_few_rows_are_ranked_as_if_every_pair_were_compared_by_itself() -> None:
    offsets = np.random.default_rng(4).uniform(0, 0.05, size=40)
    scores = [*rows(*offsets, noise=40.0)]
    scores.append(scores[7].copy())
    found = rankings(scores, SIZES)
    assert [(row.rank, row.num_ties, row.is_shared) for row in found] == naive(scores)
    means = np.array([row.bits_per_byte for row in found])
    for row in found:
        assert len(row.ties) == min(row.num_ties, NAMED_TIES)
        assert list(row.ties) == sorted(row.ties, key=lambda tie: means[tie])


def test_of_thousands_of_rows_the_best_have_their_exact_ranks_and_the_others_a_close_one() -> None:
    # Blocks that do not differ leave no noise: the rank of a row is its place.
    order = np.random.default_rng(5).permutation(3000)
    found = rankings([np.full((1, 10), 2000.0 + place) for place in order], np.full(10, 1e3))
    for place, row in zip(order, found, strict=True):
        assert row.rank == place + 1 if place < 100 else abs(row.rank - place - 1) <= 3000 / 150


def test_the_ties_of_thousands_of_equal_rows_do_not_grow_with_their_square() -> None:
    found = rankings([np.full((1, 4), 2000.0)] * 1200, np.full(4, 1000.0))
    assert {(row.rank, row.num_ties, row.is_shared) for row in found} == {(1, 1199, True)}
    assert {len(row.ties) for row in found} == {NAMED_TIES}
    assert all(place not in row.ties for place, row in enumerate(found))


@pytest.mark.parametrize("blocks", [1, 9])
@pytest.mark.parametrize("seeds", [1, 3])
def test_no_score_of_a_few_blocks_is_better_than_another(blocks: int, seeds: int) -> None:
    scores = [np.full((seeds, blocks), bits) for bits in (2.0, 4000.0)]
    for row in rankings(scores, np.full(blocks, 1000)):
        assert (row.interval, row.rank, row.num_ties, row.is_shared) == (None, 1, 1, True)
    enough = [np.full((seeds, 10), bits) for bits in (2.0, 4000.0)]
    assert [row.rank for row in rankings(enough, np.full(10, 1000))] == [1, 2]


def test_the_same_draws_give_the_same_rankings_and_no_rows_give_none() -> None:
    assert rankings(rows(0.0, 0.01, seeds=2), SIZES) == rankings(rows(0.0, 0.01, seeds=2), SIZES)
    assert rankings([], SIZES) == []


def test_a_verdict_does_not_depend_on_a_third_row() -> None:
    generator = np.random.default_rng(3)
    pair = [hard() + generator.normal(0, 60, size=(2, 60)) + shift for shift in (0.0, 40.0)]
    alone = rankings(pair, SIZES)
    for others in range(1, 6):
        more = [hard() + generator.normal(0, 60, size=(3, 60)) + 900 for _ in range(others)]
        first, second = rankings([*more, *pair], SIZES)[-2:]
        assert (first.interval, second.interval) == (alone[0].interval, alone[1].interval)
        assert (others + 1 in first.ties) == bool(alone[0].ties)


def test_the_noise_of_seeds_is_students_t() -> None:
    # Blocks that do not differ leave the seeds' noise alone: mean ± t * s / sqrt(S).
    quantile = {1: 12.706, 2: 4.303, 4: 2.776}  # of 97.5 %, from any table
    for degrees, factor in quantile.items():
        seeds = np.linspace(2000, 2100, degrees + 1)[:, None] * np.ones(60)
        (row,) = rankings([seeds], SIZES)
        assert row.spread is not None
        assert row.interval is not None
        half = (row.interval[1] - row.interval[0]) / 2
        assert half == pytest.approx(factor * row.spread / math.sqrt(degrees + 1), rel=0.03)
