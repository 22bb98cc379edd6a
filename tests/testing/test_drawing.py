"""Options are drawn from the schema alone: allowed, small, and each value of each choice."""

from __future__ import annotations

from typing import Any, Literal, Self

import pytest
from pydantic import BaseModel, Field, model_validator

from seqzoo import Options, UsageError
from seqzoo.testing.drawing import Drawn, draw, missing_options


def drawn(options: type[Options], *, thorough: bool = True, **given: Any) -> Drawn:
    return draw(options, given, lambda made: None, thorough=thorough)


class Inner(BaseModel):
    depth: int = Field(100, ge=3, le=200)
    name: Literal["a", "b"] = "a"


class Many(Options):
    width: int = Field(4096, ge=1)
    heads: int = Field(8, ge=2, le=64, multiple_of=2)
    share: float = Field(0.1, ge=0, le=1)
    kind: Literal["x", "y", "z"] = "x"
    on: bool = False
    size: int | None = Field(None, ge=5)
    sizes: tuple[int, ...] = (512, 1024)
    inner: Inner = Inner()
    text: str = "hello"
    rate: float = 1e-3


def test_the_first_choice_is_the_defaults_with_all_sizes_lowered() -> None:
    first: Any = drawn(Many).choices[0]
    assert (first.width, first.heads, first.sizes, first.inner.depth) == (16, 8, (16, 16), 16)
    assert (first.share, first.kind, first.on, first.text) == (0.1, "x", False, "hello")


def test_each_value_of_each_choice_is_drawn() -> None:
    choices: Any = drawn(Many).choices
    assert {each.kind for each in choices} == {"x", "y", "z"}
    assert {each.on for each in choices} == {False, True}
    assert {each.inner.name for each in choices} == {"a", "b"}
    assert {each.share for each in choices} == {0.1, 0.5}
    assert {each.size for each in choices} == {None, 5}
    assert {1, 16} <= {each.width for each in choices}
    assert {2, 8} <= {each.heads for each in choices}
    assert {3, 16} <= {each.inner.depth for each in choices}


def test_a_quick_check_draws_few_and_a_thorough_one_adds_pairs() -> None:
    quick, thorough = drawn(Many, thorough=False).choices, drawn(Many).choices
    assert len(quick) < len(thorough)
    usual = thorough[0].model_dump()
    changed = [sum(each.model_dump()[name] != usual[name] for name in usual) for each in thorough]
    assert max(changed[: len(quick)]) == 1
    assert max(changed) == 2


def test_the_same_choices_are_drawn_each_time() -> None:
    assert drawn(Many).choices == drawn(Many).choices


def test_what_the_plugin_refuses_is_counted_and_left_out() -> None:
    class Even(Options):
        width: int = Field(64, ge=1)
        heads: int = Field(4, ge=1)

        @model_validator(mode="after")
        def _divides(self) -> Self:
            if self.width % (2 * self.heads):
                raise ValueError("width is not a multiple of twice heads")
            return self

    found = drawn(Even)
    assert all(each.width % (2 * each.heads) == 0 for each in found.choices)  # type: ignore[attr-defined]
    assert found.refused


def test_sizes_are_lowered_one_by_one_where_not_all_can_be() -> None:
    class Ascending(Options):
        width: int = Field(4096, ge=1)
        orders: tuple[int, ...] = (20, 30)

        @model_validator(mode="after")
        def _ascends(self) -> Self:
            if list(self.orders) != sorted(set(self.orders)):
                raise ValueError("orders must ascend")
            return self

    first: Any = drawn(Ascending).choices[0]
    assert first.width <= 24
    assert first.orders[0] < first.orders[1]


def test_a_size_that_is_too_large_to_build_is_lowered() -> None:
    class Wide(Options):
        width: int = Field(100_000, ge=1)

    def accepts(made: Any) -> None:
        if made.width > 10:
            raise ValueError("too large")

    first: Any = draw(Wide, {}, accepts, thorough=False).choices[0]
    assert first.width <= 10


def test_what_refuses_everything_says_why() -> None:
    def accepts(made: Any) -> None:
        raise UsageError("never.")

    with pytest.raises(UsageError, match=r"never\."):
        draw(Many, {}, accepts, thorough=False)


def test_a_given_option_stays_as_it_is() -> None:
    choices: Any = drawn(Many, width=7).choices
    assert {each.width for each in choices} == {7}
    assert len(choices) > 5


def test_options_without_a_default_are_missing_until_they_are_given() -> None:
    class Needs(Options):
        size: int
        other: int = 3

    assert missing_options(Needs, {}) == ["size"]
    assert missing_options(Needs, {"size": 4}) == []
    assert len(drawn(Needs, size=4).choices) > 1
