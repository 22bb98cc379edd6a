"""Settings that are drawn: in their ranges, evenly, all different, and always the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seqzoo.errors import RecipeError
from seqzoo.plugin.registry import Registry
from seqzoo.sweep.grid import read_grid
from seqzoo.sweep.members import checked_recipes, members_of
from seqzoo.sweep.search import RangeSection, SearchSection, drawn_settings

METHODS = ["random", "quasi_random"]
RATE = {"low": 1e-4, "high": 1e-1, "log": True}


def search(
    method: str, members: int, seed: int = 0, **ranges: Mapping[str, object]
) -> SearchSection:
    return SearchSection.model_validate(
        {"method": method, "members": members, "seed": seed, "ranges": ranges}
    )


places = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 40), st.booleans(), places)
def test_a_whole_value_is_in_its_interval_and_on_its_steps(
    low: int, width: int, step: int, log: bool, place: float
) -> None:
    high = low + width
    value = RangeSection(low=low, high=high, log=log, step=None if log else step).value(place)
    assert isinstance(value, int)
    assert low <= value <= high
    assert log or (value - low) % step == 0


@given(st.floats(1e-6, 1e3), st.floats(1.01, 1e5), st.booleans(), places)
def test_another_value_is_in_its_interval_and_short(
    low: float, ratio: float, log: bool, place: float
) -> None:
    high = low * ratio
    value = RangeSection(low=low, high=high, log=log).value(place)
    assert low <= value <= high
    assert value in (low, high) or len(f"{value!r}") < 14


def test_a_narrow_interval_has_many_values() -> None:
    section = {"low": 0.99, "high": 0.9999}
    for log in (False, True):
        assert len(drawn_settings(search("random", 200, beta={**section, "log": log}))) == 200


def test_every_whole_value_has_its_share() -> None:
    section = RangeSection(low=3, high=7)
    count = np.bincount([section.value(place) for place in np.linspace(0, 1, 5000, False)])
    assert count[3:].tolist() == [1000] * 5
    steps = RangeSection(low=32, high=100, step=32)
    assert {steps.value(place) for place in np.linspace(0, 1, 100, False)} == {32, 64, 96}
    logarithmic = RangeSection(low=1, high=100, log=True)
    drawn = np.array([logarithmic.value(place) for place in np.linspace(0, 1, 9999, False)])
    wanted = math.log(9.5 / 0.5) / math.log(100.5 / 0.5)  # 1 to 9, of what rounds to 1 to 100
    assert np.mean(drawn < 10) == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_a_search_that_grows_keeps_its_settings(method: str) -> None:
    sizes = {"low": 8, "high": 512, "log": True}
    few = drawn_settings(search(method, 5, seed=3, rate=RATE, size=sizes))
    more = drawn_settings(search(method, 20, seed=3, rate=RATE, size=sizes))
    assert more[:5] == few
    assert drawn_settings(search(method, 5, seed=4, rate=RATE, size=sizes)) != few
    assert len({repr(row) for row in more}) == 20


@pytest.mark.parametrize("method", METHODS)
def test_where_there_are_fewer_values_each_is_drawn_once(method: str) -> None:
    found = drawn_settings(search(method, 50, a={"values": ["x", [1, 2]]}, b={"low": 1, "high": 3}))
    assert len(found) == 6


def test_random_settings_have_the_distribution_of_their_range() -> None:
    rates = [row["rate"] for row in drawn_settings(search("random", 400, rate=RATE))]
    tenths = np.histogram(np.log10(rates), bins=3, range=(-4, -1))[0]
    assert all(abs(share - 400 / 3) < 5 * math.sqrt(400 * 2 / 9) for share in tenths)


def test_quasi_random_settings_leave_smaller_gaps_than_random_ones() -> None:
    def largest_gap(method: str, seed: int) -> float:
        unit = {"low": 0.0, "high": 1.0}
        rows = drawn_settings(search(method, 64, seed, x=unit, y=unit))
        points = np.array([[row["x"], row["y"]] for row in rows])
        corners = np.stack(np.meshgrid(*[np.linspace(0, 1, 41)] * 2), -1).reshape(-1, 2)
        return float(np.abs(corners[:, None] - points[None]).max(-1).min(-1).max())

    gaps = {method: np.mean([largest_gap(method, seed) for seed in range(5)]) for method in METHODS}
    assert gaps["quasi_random"] < 0.8 * gaps["random"]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"low": 1}, "give low and high, or values"),
        ({"low": 2, "high": 1}, "low is 2, expected less than high"),
        ({"low": 0, "high": 1, "log": True}, "expected more than 0 where log is true"),
        ({"low": 0.5, "high": 1, "step": 1}, "step is for whole numbers"),
        ({"low": 1, "high": 2, "values": [1]}, "either low and high, or values"),
        ({"values": [1], "log": True}, "log and step belong to low and high"),
    ],
)
def test_a_range_that_means_nothing_is_refused(section: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RangeSection.model_validate(section)


def write(folder: Path, text: str) -> Path:
    (folder / "small.yaml").write_text(SMALL)
    (folder / "grid.yaml").write_text(f"name: searched\nrecipes: [small.yaml]\n{text}")
    return folder / "grid.yaml"


def test_what_is_drawn_becomes_members(tmp_path: Path, registry: Registry) -> None:
    text = """\
search:
  members: 4
  ranges:
    train.optimizer.learning_rate: {low: 1e-4, high: 1e-1, log: true}
    architecture.options.hidden_size: {low: 8, high: 32, step: 8}
seeds: [1, 2]
"""
    grid = read_grid(write(tmp_path, text))
    members = members_of(grid)
    assert len(members) == grid.sections.num_members == 8
    assert [member.group for member in members] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert members[0].name.startswith("small-learning_rate_0.")
    recipes = checked_recipes(members, registry)
    assert {recipe.train.seed for recipe in recipes.values()} == {1, 2}
    sizes = {recipe.architecture.options.hidden_size for recipe in recipes.values()}
    assert sizes <= {8, 16, 24, 32}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("search: {members: 2, ranges: {}}\n", "3:9", "ranges is empty"),
        ("search: {members: 2, ranges: {train.seed: {low: 3}}}\n", "3:43", "low and high"),
        ("search: {method: rnadom, members: 2}\n", "3:18", "random"),
        (
            "search: {members: 2, ranges: {train.seed: {low: 1, high: 9}}}\nseeds: [1]\n",
            "3:31",
            "give it once",
        ),
        ("finalists: 2\n", "3:1", "seeds needs two values or more"),
    ],
)
def test_a_mistake_in_a_search_is_reported_at_its_place(
    tmp_path: Path, text: str, place: str, message: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        read_grid(write(tmp_path, text))
    assert f"grid.yaml:{place}: " in str(caught.value)
    assert message in str(caught.value)


def test_a_value_that_a_recipe_refuses_is_reported_at_its_range(
    tmp_path: Path, registry: Registry
) -> None:
    text = "search: {members: 3, ranges: {train.batch_size: {values: [1, lots]}}}\n"
    with pytest.raises(RecipeError) as caught:
        checked_recipes(members_of(read_grid(write(tmp_path, text))), registry)
    assert "grid.yaml:3:" in str(caught.value)
    assert "'lots'" in str(caught.value)
