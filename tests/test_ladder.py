from __future__ import annotations

import pytest

from seqzoo.ladder import Ladder, Rung

LADDER = Ladder(
    (
        Rung("uniform", {"test": 8.0}),
        Rung("order-3", {"test": 2.481}),
        Rung("bzip2", {"test": 2.28}),
        Rung("broken", failure="ValueError: no"),
    ),
)


@pytest.mark.parametrize(
    ("score", "passed", "ahead", "sentence"),
    [
        (2.294, "order-3", "bzip2", "2.294 bits per byte: below order-3 (2.481), above bzip2"),
        (2.28, "order-3", "bzip2", "above bzip2 (2.280)"),
        (8.5, None, "uniform", "above every rung, the next is uniform (8.000)"),
        (1.0, "bzip2", None, "below every rung, the last was bzip2 (2.280)"),
    ],
)
def test_a_score_stands_between_its_neighbours(
    score: float, passed: str | None, ahead: str | None, sentence: str
) -> None:
    placement = LADDER.place(score, "test")
    assert (placement.passed and placement.passed.name) == passed
    assert (placement.next and placement.next.name) == ahead
    assert sentence in placement.sentence


def test_a_split_without_rungs_is_said() -> None:
    assert "no rung" in LADDER.place(2.0, "validation").sentence


@pytest.mark.parametrize(
    ("score", "words"), [(2.5, "0.500 above the floor"), (1.9, "luck or a leak")]
)
def test_the_floor_is_in_the_sentence(score: float, words: str) -> None:
    ladder = Ladder(LADDER.rungs, {"test": 2.0})
    assert words in ladder.place(score, "test").sentence
    assert "floor" not in ladder.place(score, "validation").sentence
