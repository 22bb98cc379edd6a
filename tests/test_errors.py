"""Errors: however many and however long the problems are, an answer can be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_recipe import GOOD, parse, problems_of, small_registry

from seqzoo.errors import Problem, RecipeError
from seqzoo.recipes.load import load_recipe, recipe
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.sweep.grid import read_grid

LONGEST = 8_000
"""Characters of an answer: some pages of a terminal."""

LONG = "x" * 100_000


def good() -> dict[str, Any]:
    data, _ = load_yaml(GOOD, "good")
    return dict(data)


def from_text(text: str) -> Callable[[Path], object]:
    return lambda _: parse(text)


def grid(text: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        (folder / "grid.yaml").write_text(text)
        return read_grid(folder / "grid.yaml")

    return read


MANY = "".join(f"unknown_{number}: {number}\n" for number in range(1_900))
HOSTILE: dict[str, Callable[[Path], object]] = {
    "many keys": from_text(GOOD + MANY),
    "only wrong keys": from_text(MANY),
    "a long key": from_text(f"{GOOD}? {LONG}\n: 1\n"),
    "many long keys": from_text(
        GOOD + "".join(f"? k{number}{'x' * 2000}\n: 1\n" for number in range(400))
    ),
    "a long value": from_text(GOOD.replace("batch_size: ", f"batch_size: {LONG}")),
    "a long name": from_text(GOOD.replace("name: tiny", f"name: {LONG}", 1)),
    "a long name of a plugin": from_text(GOOD.replace("name: lstm", f"name: {LONG}")),
    "many values": from_text(f"{GOOD}plugins: [{'1, ' * 1500}]\n"),
    "many samplers": from_text(
        yaml.dump({**good(), "sample": {"chain": [f"none_{n}" for n in range(1500)]}})
    ),
    "a long override": lambda _: parse(GOOD, f"{LONG}=1"),
    "a long value of an override": lambda _: parse(GOOD, f"train.batch_size={LONG}"),
    "many overrides": lambda _: parse(GOOD, *(f"none_{n}=1" for n in range(1500))),
    "a mapping": lambda _: recipe(
        {**good(), **{f"none_{n}": LONG for n in range(1500)}}, registry=small_registry()
    ),
    "a grid": grid(f"name: g\nrecipes: [a.yaml]\nset:\n  ? {LONG}\n  : 1\n" + MANY),
    "settings of a grid": grid("name: g\nrecipes: [a.yaml]\ngrid:\n" + "  name: [1]\n" * 1000),
    "a long file name": lambda folder: load_recipe(folder / f"{LONG}.yaml", small_registry()),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_an_answer_is_never_longer_than_some_pages(case: str, tmp_path: Path) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        HOSTILE[case](tmp_path)
    assert getattr(caught.value, "exit_code", None) == 2, caught.value
    assert len(str(caught.value)) <= LONGEST
    assert len(str(caught.value).splitlines()) <= 21


def test_the_first_problems_are_shown_the_rest_is_counted_and_all_are_kept() -> None:
    problems = problems_of(GOOD + MANY)
    assert len(problems) == 1_900
    with pytest.raises(RecipeError) as caught:
        parse(GOOD + MANY)
    *shown, last = str(caught.value).splitlines()
    assert shown == [str(problem) for problem in problems[: len(shown)]]
    assert last == f"and {1_900 - len(shown):,} more problems."


@pytest.mark.parametrize("count", [1, 2, 20, 21, 22, 100])
def test_every_problem_is_shown_or_counted(count: int) -> None:
    problems = [Problem("r.yaml", number + 1, 1, "wrong.") for number in range(count)]
    lines = str(RecipeError(problems)).splitlines()
    counted = int(lines.pop().split()[1]) if lines[-1].startswith("and ") else 0
    assert len(lines) + counted == count
    assert counted == max(0, count - 20)
