from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from seqzoo.results.ladder import LUCK_BITS, Ladder, LeftOut, Rung

LADDER = Ladder(
    (
        Rung("uniform", {"test": 8.0}),
        Rung("order-3", {"test": 2.481}, title="a table of order 3", meaning="It counts."),
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


OTHERS = "Compared with methods that keep learning while they are scored: "
FIXED = "Compared with methods that do not learn while they are scored: "


@pytest.mark.parametrize(
    ("score", "adaptive", "words"),
    [
        (
            2.26,
            False,
            f"Better than a table of order 3 (2.481), not yet as good as order-4 (2.250). {OTHERS}"
            f"better than bzip2 (2.280), not yet as good as order-3 (2.200).",
        ),
        (
            2.26,
            True,
            f"{OTHERS}better than bzip2 (2.280), not yet as good as order-3 (2.200). {FIXED}"
            f"better than a table of order 3 (2.481), not yet as good as order-4 (2.250).",
        ),
        (1.0, False, "Better than every baseline; the closest is order-3 (2.200)."),
        (1.0, True, "Better than every baseline; the closest is order-3 (2.200)."),
        (
            2.21,
            False,
            f"Better than every baseline that does not learn while it is scored; the closest is "
            f"order-4 (2.250). {OTHERS}better than bzip2 (2.280), not yet as good as order-3 "
            f"(2.200).",
        ),
        (9.0, False, "Worse than every baseline; the closest is uniform (8.000)."),
        (8.0, False, "Equal to the weakest baseline, uniform (8.000)."),
        (
            3.0,
            True,
            f"{OTHERS}worse than all of them; the closest is bzip2 (2.280). {FIXED}better "
            f"than uniform (8.000), not yet as good as a table of order 3 (2.481).",
        ),
        (
            2.25,
            False,
            f"Better than a table of order 3 (2.481), as good as order-4 (2.250). {OTHERS}better "
            f"than bzip2 (2.280), not yet as good as order-3 (2.200).",
        ),
    ],
)
def test_the_sentence_names_the_kind_of_each_baseline(
    score: float, adaptive: bool, words: str
) -> None:
    assert LADDER.sentence(score, "test", num_bytes=1000, adaptive=adaptive) == (
        f"{score:.3f} bits per byte (lower is better). {words}"
    )


def test_the_sentence_of_a_single_kind_does_not_name_it() -> None:
    static = Ladder(tuple(rung for rung in LADDER.rungs if not rung.adaptive))
    assert static.sentence(1.0, "test", num_bytes=9).endswith(
        "Better than every baseline; the closest is order-4 (2.250)."
    )
    adaptive = Ladder(tuple(rung for rung in LADDER.rungs if rung.adaptive))
    assert adaptive.sentence(3.0, "test", num_bytes=9, adaptive=True).endswith(
        "Worse than every baseline; the closest is bzip2 (2.280)."
    )
    assert adaptive.sentence(3.0, "test", num_bytes=9).endswith(
        f"{OTHERS}worse than all of them; the closest is bzip2 (2.280)."
    )


def test_one_baseline_is_not_called_every_baseline() -> None:
    uniform, bzip2 = LADDER.rungs[0], LADDER.rungs[2]
    alone = Ladder((uniform,)).sentence(7.5, "test", num_bytes=9)
    assert alone.endswith("Better than uniform (8.000), the only baseline that was scored.")
    worse = Ladder((uniform,)).sentence(8.1, "test", num_bytes=9)
    assert worse.endswith("Worse than uniform (8.000), the only baseline that was scored.")
    equal = Ladder((uniform,)).sentence(8.0, "test", num_bytes=9)
    assert equal.endswith("Equal to uniform (8.000), the only baseline that was scored.")
    two = Ladder((uniform, bzip2))
    assert two.sentence(3.0, "test", num_bytes=9).endswith(
        f"Better than uniform (8.000), the only baseline that was scored and does not learn while "
        f"it is scored. {OTHERS}worse than bzip2 (2.280), the only one."
    )
    assert two.sentence(2.0, "test", num_bytes=9).endswith(
        "Better than every baseline; the closest is bzip2 (2.280)."
    )


@pytest.mark.parametrize("reason", ["time", "stopped"])
def test_baselines_without_a_score_are_not_among_every_baseline(
    reason: Literal["time", "stopped"],
) -> None:
    ladder = replace(LADDER, left_out=(LeftOut("slow", reason, 60.0),))
    assert ladder.sentence(1.0, "test", num_bytes=9).endswith(
        "Better than every baseline that was scored; the closest is order-3 (2.200)."
    )


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (2.3, "between order-3 and order-4"),
        (1.0, "better than order-4"),
        (8.0, "not better than uniform"),
    ],
)
def test_a_score_while_training_is_between_static_rungs(score: float, words: str) -> None:
    assert LADDER.between(score, "test") == words
    assert LADDER.between(score, "validation") == ""


def test_only_a_score_that_beats_no_baseline_is_the_worst() -> None:
    assert LADDER.is_worst(8.0, "test")
    assert not LADDER.is_worst(7.9, "test")
    assert not LADDER.is_worst(9.0, "validation")


def test_the_meaning_is_that_of_the_baseline_that_was_passed() -> None:
    assert LADDER.place(2.3, "test").meaning == "It counts."
    assert LADDER.place(4.0, "test").meaning == "It counts."
    assert LADDER.place(1.0, "test").meaning == ""


def test_a_split_without_baselines_is_reported() -> None:
    assert "no baseline" in LADDER.sentence(2.0, "validation", num_bytes=1000)


@pytest.mark.parametrize(
    ("bits_below", "words", "impossible"),
    [
        (
            -500.0,
            "has a score of 2.000, which no model can beat except by luck: 0.500 are left",
            False,
        ),
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
    assert "source" not in ladder.sentence(score, "validation", num_bytes=1000)
    assert not LADDER.is_impossible(score, "test", 1000)
