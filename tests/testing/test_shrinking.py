"""The smallest case is found for numbers and texts, and the law still breaks with it."""

from __future__ import annotations

from seqzoo.testing.shrinking import smallest_case


def test_numbers_become_as_small_as_they_can() -> None:
    found = smallest_case(
        {"length": 1024, "position": 700}, lambda c: c["length"] > 100 and c["position"] >= 3
    )
    assert found == {"length": 101, "position": 3}


def test_a_number_that_depends_on_another_is_found_too() -> None:
    found = smallest_case(
        {"length": 500, "position": 480}, lambda c: 20 < c["position"] < c["length"]
    )
    assert found == {"length": 22, "position": 21}


def test_numbers_stay_at_least_1_and_seeds_at_least_0() -> None:
    assert smallest_case({"rows": 9, "seed": 9}, lambda c: True) == {"rows": 1, "seed": 0}


def test_a_text_becomes_what_breaks_the_law() -> None:
    text = bytes(range(256)) + b"some words" * 30
    found = smallest_case({"text": text}, lambda c: b"\xff" in c["text"] and b"w" in c["text"])
    assert sorted(found["text"]) == sorted(b"\xffw")


def test_words_stay_and_what_never_breaks_is_returned_unchanged() -> None:
    case = {"mode": "eval", "flag": True, "length": 7}
    assert smallest_case(case, lambda c: False) == case
    assert smallest_case(case, lambda c: True)["mode"] == "eval"
