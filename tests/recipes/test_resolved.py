"""A run keeps a recipe that can be read again, or is not started."""

from __future__ import annotations

import bisect
import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BeforeValidator
from small_recipe import GOOD, parse, small_registry

import seqzoo
from seqzoo.errors import RecipeError
from seqzoo.plugin.discovery import Owner
from seqzoo.recipes.load import Recipe, parse_recipe, recipe
from seqzoo.recipes.resolved import require_readable
from seqzoo.recipes.shipped import shipped_recipes
from seqzoo.recipes.yaml_reader import MAX_BYTES, MAX_VALUES

SMALL = {
    "name": "small",
    "corpus": {"name": "pastiche", "options": {"size_bytes": 30000}},
    "tokenizer": {"name": "bytes"},
    "architecture": {"name": "lstm", "options": {"hidden_size": 8}},
    "train": {"batch_size": 4, "bptt_length": 8, "budget": {"steps": 4}},
    "sample": {"length": 4},
    "baselines": {"include": []},
    "runtime": {"threads": 1, "device": "cpu"},
}
TOO_MUCH: dict[str, tuple[dict[str, Any], str]] = {
    "samplers in their short form": (
        {"sample.chain": [{"temperature": 0.8}] * 700},
        f"values, most of them in sample.chain, expected at most {MAX_VALUES:,}",
    ),
    "quotes in a description": (
        {"description": '"' * 600_000},
        f"bytes, most of them in description, expected at most {MAX_BYTES:,}",
    ),
    "letters that are escaped": (
        {"sample.prompt": "\x01" * 300_000},
        f"bytes, most of them in sample.prompt, expected at most {MAX_BYTES:,}",
    ),
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_a_recipe_that_a_run_could_not_read_again_is_refused_and_nothing_is_written(
    case: str, tmp_path: Path
) -> None:
    changes, said = TOO_MUCH[case]
    with pytest.raises(RecipeError) as caught:
        seqzoo.run({**SMALL}, changes, root=tmp_path / "runs")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400
    assert not (tmp_path / "runs").exists()


def test_a_run_refuses_changes_that_it_could_not_read_again(tmp_path: Path) -> None:
    run = seqzoo.run(SMALL, root=tmp_path)
    before = (run.path / "recipe.yaml").read_bytes()
    changes, said = TOO_MUCH["samplers in their short form"]
    with pytest.raises(RecipeError) as caught:
        seqzoo.resume(run.path, changes)
    assert said in str(caught.value)
    assert (run.path / "recipe.yaml").read_bytes() == before
    assert not (run.path / "changes.json").exists()
    assert seqzoo.open_run(run.path).score(b"abc").bits_per_byte > 0


def test_what_is_accepted_is_what_the_reader_accepts() -> None:
    def made(count: int) -> Recipe:
        return recipe({**SMALL, "sample": {"chain": [{"temperature": 0.8}] * count}})

    most = bisect.bisect_left(range(900), True, key=lambda n: not _is_read(made(n))) - 1
    assert 0 < most < 899
    assert _is_accepted(made(most))
    assert not _is_accepted(made(most + 1))


def _is_accepted(made: Recipe) -> bool:
    try:
        require_readable(made)
    except RecipeError:
        return False
    return True


def _is_read(made: Recipe) -> bool:
    try:
        parse_recipe(made.to_yaml(), made.registry, source="r.yaml", base=Path())
    except RecipeError:
        return False
    return True


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_is_read_again(name: str) -> None:
    require_readable(recipe(name))


class Growing(seqzoo.Options):
    """Every reading makes it one larger, which no plugin should do."""

    size: Annotated[int, BeforeValidator(lambda size: size + 1)] = 3


def test_an_option_that_changes_whenever_it_is_read_is_named() -> None:
    class Plugin:
        @staticmethod
        @seqzoo.hookimpl
        def register_schedules() -> list[seqzoo.ScheduleSpec]:
            unused: Any = None
            return [seqzoo.ScheduleSpec(name="growing", summary="s", options=Growing, build=unused)]

    registry = small_registry()
    registry.add(Plugin, Owner("growing"))
    made = recipe(
        json.loads(json.dumps(parse(GOOD).as_data())),
        {"train.schedule": {"decay": "growing", "size": 5}},
        registry=registry,
    )
    with pytest.raises(RecipeError, match=r"train\.schedule\.size does not stay as it is"):
        require_readable(made)
