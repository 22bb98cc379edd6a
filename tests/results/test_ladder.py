from __future__ import annotations

import pytest

from seqzoo.results.ladder import LUCK_BITS, Ladder, Rung

LADDER = Ladder(
    (
        Rung("uniform", {"test": 8.0}),
        Rung("order-3", {"test": 2.481}),
        Rung("bzip2", {"test": 2.28}, adaptive=True),
        Rung("order-3", {"test": 2.2}, adaptive=True),
        Rung("order-4", {"test": 2.25}),
        Rung("broken", failure="ValueError: no"),
    ),
)


def names(score: float, **kind: bool) -> tuple[str | None, str | None]:
    place = LADDER.place(score, "test", **kind)
    passed, following = place.passed, place.next
    return passed.name if passed else None, following.name if following else None


@pytest.mark.parametrize(
    ("score", "static", "adaptive"),
    [
        (2.294, ("order-3", "order-4"), (None, "bzip2")),
        (2.25, ("order-3", "order-4"), ("bzip2", "order-3")),
        (8.5, (None, "uniform"), (None, "bzip2")),
        (1.0, ("order-4", None), ("order-3", None)),
    ],
)
def test_a_score_is_between_neighbours_of_its_own_kind(
    score: float, static: tuple[str | None, str | None], adaptive: tuple[str | None, str | None]
) -> None:
    assert names(score) == static
    assert names(score, adaptive=True) == adaptive


def test_the_sentence_keeps_static_and_adaptive_rungs_apart() -> None:
    assert LADDER.sentence(2.26, "test", num_bytes=1000) == (
        "2.260 bits per byte: between the static baselines order-3 (2.481) and order-4 (2.250); "
        "between the adaptive baselines bzip2 (2.280) and order-3 (2.200)"
    )
    assert LADDER.sentence(1.0, "test", num_bytes=1000, adaptive=True) == (
        "1.000 bits per byte: better than every adaptive baseline, the best is order-3 (2.200); "
        "better than every static baseline, the best is order-4 (2.250)"
    )
    assert "better than no static baseline, the nearest is uniform (8.000)" in LADDER.sentence(
        8, "test", num_bytes=1000
    )


def test_a_split_without_baselines_is_reported() -> None:
    assert "no baseline" in LADDER.sentence(2.0, "validation", num_bytes=1000)


@pytest.mark.parametrize(
    ("bits_below", "words", "impossible"),
    [
        (-500.0, "0.500 above the floor", False),
        (LUCK_BITS - 1, "by luck", False),
        (LUCK_BITS + 1, "luck cannot explain", True),
    ],
)
def test_the_floor_is_in_the_sentence_and_luck_has_a_limit(
    bits_below: float, words: str, impossible: bool
) -> None:
    ladder = Ladder(LADDER.rungs, {"test": 2.0})
    score = 2.0 - bits_below / 1000
    assert words in ladder.sentence(score, "test", num_bytes=1000)
    assert ladder.is_impossible(score, "test", 1000) == impossible
    assert "floor" not in ladder.sentence(score, "validation", num_bytes=1000)
    assert not LADDER.is_impossible(score, "test", 1000)
