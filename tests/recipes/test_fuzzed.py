"""Any text is read as a recipe or has problems with line and column, in a short time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutated_recipes import mutated, words_of
from own_time import soon_done
from small_recipe import GOOD, problems_of


def parse_anything(text: str | bytes, *overrides: str) -> None:
    with soon_done():
        problems = problems_of(text, overrides)
    for problem in problems:
        assert problem.line >= 1 or problem.source in overrides
        assert problem.column >= 1 or problem.source in overrides
        assert problem.message.endswith((".", "?"))
        assert "\n" not in problem.message


WORDS = words_of(GOOD)


@settings(max_examples=300)
@given(st.integers(0, 2**32))
def test_a_mutated_recipe_is_good_or_has_positioned_problems(seed: int) -> None:
    parse_anything(mutated(GOOD, seed))


@settings(max_examples=100)
@given(st.text(max_size=80))
def test_any_text_is_a_recipe_or_has_positioned_problems(text: str) -> None:
    parse_anything(text)


KEYS = st.sampled_from([word for word in WORDS if word.isidentifier()] + ["0", "1", "x"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200)
@given(st.lists(KEYS, min_size=1, max_size=4), ANY)
def test_any_override_is_applied_or_reported(parts: list[str], value: Any) -> None:
    parse_anything(GOOD, f"{'.'.join(parts)}={value}")


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"key{n}: 1\n" for n in range(1900)),
        "architecture: {name: " + "l" * 900_000 + "}",
        "k" * 900_000 + ": 1",
        "train: {" + "x: {" * 30 + "}" * 30 + "}",
        "sample: {chain: [" + "x, " * 1900 + "]}",
    ],
    ids=["many keys", "long name", "long key", "deep", "long chain"],
)
def test_large_nonsense_is_reported_quickly_and_briefly(text: str) -> None:
    parse_anything(text)
    assert all(len(problem.message) < 400 for problem in problems_of(text))
