"""The recipes that come with seqzoo are found by name from any folder, and ship in the wheel."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from commands import REPOSITORY

from seqzoo.errors import UsageError
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.edited import with_values
from seqzoo.recipes.load import load_recipe, recipe
from seqzoo.recipes.shipped import find_recipe, shipped_recipes
from seqzoo.recipes.yaml_reader import DataPath, load_yaml


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_recipe_of_the_repository_is_in_the_wheel() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    recipes = sorted((REPOSITORY / "recipes").glob("*.yaml"))
    assert len(recipes) > 5
    assert included == {
        f"recipes/{path.name}": f"seqzoo/shipped_recipes/{path.name}" for path in recipes
    }


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_is_found_by_its_name(registry: Registry, name: str) -> None:
    found = load_recipe(Path(name), registry)
    assert found == load_recipe(REPOSITORY / "recipes" / f"{name}.yaml", registry)
    assert found.name == name
    assert found.description


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_says_how_to_run_it_without_the_repository(name: str) -> None:
    text = shipped_recipes()[name].read_text(encoding="utf-8")
    assert f"seqzoo run {name}" in text


def test_a_file_of_the_user_comes_before_a_name(tmp_path: Path) -> None:
    (tmp_path / "quick").write_text("mine")
    assert find_recipe("quick") == Path("quick")
    (tmp_path / "shakespeare_best").mkdir()
    assert find_recipe("shakespeare_best").is_file()


@pytest.mark.parametrize("given", ["./quick", "x/quick", "quick.yaml", "quick/", "../quick"])
def test_a_path_is_never_a_name(given: str) -> None:
    assert not find_recipe(given).is_file()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("recipes/quick.yaml", "The recipe 'quick' comes with seqzoo"),
        ("quick.yaml", "The recipe 'quick' comes with seqzoo"),
        ("qiuck", "Did you mean 'quick'?"),
        ("QUICK", "Did you mean 'quick'?"),
        ("nothing_like_it_xyz", "Choose from: best_100s, best_30s, nanogpt_cpu_budget, quick"),
    ],
)
def test_a_wrong_name_or_path_says_what_is_there(tmp_path: Path, given: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        recipe(given)
    message = str(caught.value)
    assert says in message
    assert str(tmp_path / given) in message
    assert "\n" not in message


LAID_OUT = """\
# about the recipe
name: one   # a name
corpus:     # block
  name: file
  # inside
  options: {path: "a b.txt"}

# between
train:
  budget: {steps: 3}
  start_from: 'runs/x'  # the start
sample:
  prompt: >
    folded
    text
  length:
last: |
  literal
  block
"""


def test_a_changed_value_leaves_the_rest_of_the_text_as_it_is() -> None:
    changed = with_values(LAID_OUT, {("train", "start_from"): "../x: y", ("name",): "two"})
    expected = LAID_OUT.replace("'runs/x'", '"../x: y"').replace("name: one", "name: two")
    assert changed == expected


def test_a_section_is_replaced_and_comments_around_it_stay() -> None:
    corpus = {"name": "files", "options": {"paths": ["é.txt", "true"]}}
    sample = {"prompt": "a: b", "length": 3}
    values: dict[DataPath, Any] = {("sample", key): value for key, value in sample.items()}
    changed = with_values(
        LAID_OUT, {("corpus",): corpus, ("last",): "", ("absent", "x"): 1, **values}
    )
    data, _ = load_yaml(changed, "changed")
    expected, _ = load_yaml(LAID_OUT, "laid out")
    assert data == {**expected, "corpus": corpus, "last": "", "sample": sample}
    for comment in ("# about the recipe", "# a name", "# block", "# between", "# the start"):
        assert comment in changed
