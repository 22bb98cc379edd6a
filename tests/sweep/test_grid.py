"""Grid files: every combination once, in order, with a name; every mistake at its place."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import SMALL
from hypothesis import given
from hypothesis import strategies as st

from seqzoo.errors import RecipeError, UsageError
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.overrides import apply_overrides
from seqzoo.recipes.sections import run_name
from seqzoo.recipes.yaml_reader import Marks, load_yaml
from seqzoo.sweep.grid import MAX_MEMBERS, Grid, read_grid
from seqzoo.sweep.members import RESERVED, Member, as_typed, checked_recipes, members_of


def grid_of(folder: Path, text: str) -> Grid:
    (folder / "small.yaml").write_text(SMALL)
    (folder / "other.yaml").write_text(SMALL)
    (folder / "grid.yaml").write_text(text)
    return read_grid(folder / "grid.yaml")


def members(folder: Path, text: str) -> tuple[Member, ...]:
    return members_of(grid_of(folder, text))


def problems(folder: Path, text: str, registry: Registry) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        checked_recipes(members(folder, text), registry)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


FULL = """\
name: full
recipes: [small.yaml, other.yaml]
set: {train.budget.steps: 7}
grid:
  architecture.options.hidden_size: [8, 16]
  train.optimizer.learning_rate: [3e-3, 1e-2]
members:
  - {}
  - {architecture.options.dropout: 0.2, train.clip_norm: null}
seeds: [1, 2, 3]
"""


def test_members_are_the_product_of_recipes_members_grid_and_seeds(tmp_path: Path) -> None:
    found = members(tmp_path, FULL)
    wanted = [
        (
            tmp_path / recipe,
            (
                "train.budget.steps=7",
                *row,
                f"architecture.options.hidden_size={size}",
                f"train.optimizer.learning_rate={rate}",
                f"train.seed={seed}",
            ),
        )
        for recipe, row, size, rate, seed in itertools.product(
            ["small.yaml", "other.yaml"],
            [(), ("architecture.options.dropout=0.2", "train.clip_norm=null")],
            [8, 16],
            [0.003, 0.01],
            [1, 2, 3],
        )
    ]
    assert [(member.recipe, member.overrides) for member in found] == wanted
    assert members(tmp_path, FULL) == found


def test_names_show_what_varies_and_are_all_different(tmp_path: Path) -> None:
    names = [member.name for member in members(tmp_path, FULL)]
    assert names[0] == "small-hidden_size_8-learning_rate_0.003-seed_1"
    assert names[-1] == (
        "other-dropout_0.2-clip_norm_null-hidden_size_16-learning_rate_0.01-seed_3"
    )
    assert len(set(names)) == len(names)
    for name in names:
        run_name(name)


def test_a_grid_that_grows_keeps_the_names_it_had(tmp_path: Path) -> None:
    one = "name: x\nrecipes: [small.yaml]\ngrid: {train.batch_size: [2]}\nseeds: [1]\n"
    more = one.replace("[2]", "[2, 4]").replace("[1]", "[1, 2]")
    names = [member.name for member in members(tmp_path, more)]
    assert members(tmp_path, one)[0].name == names[0] == "small-batch_size_2-seed_1"


def test_settings_with_the_same_last_word_get_longer_names(tmp_path: Path) -> None:
    text = "name: x\nrecipes: [small.yaml]\ngrid: {sample.seed: [1], sample.prompt: [A]}\n"
    (member,) = members(tmp_path, text + "seeds: [3]\n")
    assert member.name == "small-sample.seed_1-prompt_A-train.seed_3"


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=120),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_any_values_make_different_names_of_runs(
    tmp_path_factory: pytest.TempPathFactory, prompts: list[str]
) -> None:
    values = json.dumps(prompts)
    folder = tmp_path_factory.getbasetemp()
    escaped = "[" + ", ".join(map(as_typed, prompts)) + "]"
    text = f"name: x\nrecipes: [small.yaml]\ngrid: {{sample.prompt: {escaped}}}\n"
    found = members(folder, text)
    names = [run_name(member.name) for member in found]
    assert len({name.lower() for name in names}) == len(prompts), values
    assert not RESERVED & set(names)


def test_no_member_has_the_name_of_another_file_of_the_sweep(tmp_path: Path) -> None:
    for reserved in RESERVED:
        (tmp_path / f"{reserved}.yaml").write_text(SMALL)
    listed = ", ".join(f"{reserved}.yaml" for reserved in sorted(RESERVED))
    names = {member.name for member in members(tmp_path, f"name: x\nrecipes: [{listed}]\n")}
    assert len(names) == len(RESERVED)
    assert not RESERVED & names


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(_PLAIN)
def test_a_value_is_typed_so_that_an_override_reads_it_back(value: Any) -> None:
    typed = as_typed(value)
    data: dict[str, Any] = {}
    marks = Marks()
    marks.values[()] = load_yaml("x", "")[1].value(())
    assert "\n" not in typed
    assert apply_overrides(data, marks, overrides=[f"key={typed}"])[1] == []
    # A number that YAML writes like a whole one is one.
    assert data["key"] == value


def test_each_member_is_checked_as_run_would_check_it(tmp_path: Path, registry: Registry) -> None:
    found = members(tmp_path, FULL)
    recipes = checked_recipes(found, registry)
    assert list(recipes) == [member.name for member in found]
    last = recipes[found[-1].name]
    assert last.architecture.options.hidden_size == 16
    assert last.train.clip_norm is None
    assert (last.train.seed, last.train.budget.steps) == (3, 7)


def test_every_mistake_of_the_file_is_reported_at_its_place(
    tmp_path: Path, registry: Registry
) -> None:
    text = """\
name: two words
recipes: []
sett: {}
grid: {train.batch_size: []}
members: [3]
seeds: [1, x]
"""
    found = problems(tmp_path, text, registry)
    places = [problem.partition(": ")[0] for problem in found]
    assert places == [
        f"grid.yaml:{line}" for line in ("1:7", "2:10", "3:1", "4:26", "5:11", "6:12")
    ]
    assert "Did you mean 'set'?" in found[2]
    assert "is an empty list" in found[3]


def test_names_and_descriptions_are_not_settings(tmp_path: Path, registry: Registry) -> None:
    text = "name: x\nrecipes: [small.yaml]\nset: {description: y}\ngrid: {name: [a, b]}\n"
    found = problems(tmp_path, text, registry)
    assert [problem.partition(": ")[0] for problem in found] == ["grid.yaml:3:7", "grid.yaml:4:8"]
    assert all("changes nothing" in problem for problem in found)


def test_a_recipe_is_not_a_grid_and_the_message_says_what_runs_it(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    with pytest.raises(UsageError, match=r"is a recipe; run it with: seqzoo run "):
        read_grid(tmp_path / "small.yaml")


def test_a_setting_or_value_that_is_given_twice_is_refused(
    tmp_path: Path, registry: Registry
) -> None:
    text = """\
name: x
recipes: [small.yaml, small.yaml]
set: {train.budget: {steps: 3}, "a=b": 1, train.seed: 3}
grid: {train.budget.steps: [3, 4, 3]}
members: [{train.batch_size: 1}, {train.batch_size: 2}, {train.batch_size: 1}]
seeds: [1, 1]
"""
    found = problems(tmp_path, text, registry)
    places = [problem.partition(": ")[0] for problem in found]
    assert places == [
        f"grid.yaml:{line}" for line in ("2:23", "3:33", "3:43", "4:8", "4:35", "5:57", "6:12")
    ]


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    seeds = list(range(MAX_MEMBERS + 1))
    with pytest.raises(RecipeError, match=f"{MAX_MEMBERS + 1} members, expected at most"):
        grid_of(tmp_path, f"name: x\nrecipes: [small.yaml]\nseeds: {seeds}\n")


def test_every_mistake_of_every_member_is_reported_once_at_its_place(
    tmp_path: Path, registry: Registry
) -> None:
    text = """\
name: x
recipes: [small.yaml, smal.yaml]
set: {train.log_evry_steps: 7}
grid:
  architecture.options.hidden_size: [8, lots]
  train.batch_sze: [1, 2]
seeds: [1, 2]
"""
    missing, *others = problems(tmp_path, text, registry)
    assert missing.startswith("grid.yaml:2:23: recipe ")
    assert missing.endswith("does not exist. Did you mean 'small.yaml'?")
    assert others == [
        "grid.yaml:3:29: unknown option 'train.log_evry_steps'. Did you mean "
        "'train.log_every_steps'?",
        "grid.yaml:5:41: architecture.options.hidden_size is 'lots', expected a whole number from "
        "1 to 16384.",
        "grid.yaml:6:3: unknown option 'train.batch_sze'. Did you mean 'train.batch_size'?",
    ]


def test_a_mistake_in_the_recipe_names_the_first_member_that_meets_it(
    tmp_path: Path, registry: Registry
) -> None:
    text = "name: x\nrecipes: [small.yaml]\ngrid: {architecture.name: [lstm, transformer]}\n"
    wider = SMALL.replace("hidden_size: 16, dropout: 0.1", "layer_norm: true")
    grid = grid_of(tmp_path, text + "seeds: [1, 2]\n")
    (tmp_path / "small.yaml").write_text(wider)
    with pytest.raises(RecipeError) as caught:
        checked_recipes(members_of(grid), registry)
    assert len(caught.value.problems) == 2
    assert "(In member 'small-name_lstm-seed_1'.)" in caught.value.problems[0].message


def test_a_missing_file_gets_a_suggestion(tmp_path: Path) -> None:
    grid_of(tmp_path, FULL)
    with pytest.raises(UsageError, match=re.escape("Did you mean 'grid.yaml'?")):
        read_grid(tmp_path / "gird.yaml")
    with pytest.raises(UsageError, match="is a folder"):
        read_grid(tmp_path)


def test_reading_a_grid_imports_no_torch(tmp_path: Path) -> None:
    grid_of(tmp_path, FULL)
    program = (
        "import sys, seqzoo.cli\n"
        "sys.argv = ['seqzoo', 'sweep', 'grid.yaml', '--dry-run']\n"
        "assert seqzoo.cli._exit_code() == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
