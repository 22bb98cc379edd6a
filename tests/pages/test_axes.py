"""Axes: labels keep their order and do not meet, and the range shows what it must."""

from __future__ import annotations

import itertools

import pytest

from seqzoo.pages.axes import placed_apart, range_shown, short_number, ticks


def test_labels_of_baselines_do_not_overlap_and_keep_their_order() -> None:
    rungs = [(f"order-{n}", 2.0 + 0.001 * n) for n in range(12)] + [("far", 9.0), ("top", 9.99)]
    placed = list(placed_apart(rungs, 2.0, 8.0))
    assert [name for name, _, _ in placed] == [name for name, _ in rungs]
    places = [place for _, _, place in placed]
    assert all(after - before > 0.3 for before, after in itertools.pairwise(places))
    assert places[-1] <= 10.0
    assert placed[-2][2] == 9.0  # one with room stays at its value


def test_labels_that_would_meet_are_around_their_values() -> None:
    rungs = [(f"order-{n}", 5.0 + 0.001 * n) for n in range(5)]
    places = [place for _, _, place in placed_apart(rungs, 0.0, 10.0)]
    assert sum(places) / 5 == pytest.approx(5.002)
    assert [after - before for before, after in itertools.pairwise(places)] == pytest.approx(
        [0.4] * 4
    )
    lowest = [place for _, _, place in placed_apart(rungs, 5.0, 10.0)]
    assert lowest[0] == pytest.approx(5.0)  # not below the axis


def test_the_range_has_every_exact_value_and_the_nearest_rung_below() -> None:
    noisy = [[9.0] + [3.0 - 0.01 * step for step in range(60)]]
    low, high = range_shown([[3.0, 2.5]], noisy, [8.0, 4.8, 2.3, 2.2, 1.0])
    assert 2.2 < low < 2.3
    assert 3.0 < high < 3.5  # the first loss is above it
    assert range_shown([[2.0]], [], [])[0] < 2.0 < range_shown([[2.0]], [], [])[1]
    assert range_shown([[2.0, 7.0]], [[]], [])[1] > 7.0
    low, high = range_shown([[18.0, 18.0]], [], [], least=5.0)
    assert 5 < high - low < 6
    low, high = range_shown([[1e17]], [], [])
    assert low < 1e17 < high


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.83, 1.86), (0.0, 1234567.0), (2.0, 9.0)])
def test_ticks_are_round_evenly_spaced_and_inside(low: float, high: float) -> None:
    found = [value for value, _ in ticks(low, high, at_most=6)]
    assert 2 <= len(found) <= 7
    assert low - 1e-9 <= found[0]
    assert found[-1] <= high + 1e-9
    steps = [after - before for before, after in itertools.pairwise(found)]
    assert max(steps) == pytest.approx(min(steps))
    assert [float(text) for _, text in ticks(low, high, at_most=6)] == pytest.approx(found)


def test_large_numbers_are_short() -> None:
    assert [short_number(each) for each in (0, 950, 1500, 2e6)] == ["0", "950", "1.5k", "2M"]
