"""Recipes from Python objects: the same checks as for a file, problems at dotted paths."""

# ruff: noqa: E501 (tables of mistakes read best with one on a line)

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_recipe import GOOD, parse, small_registry

from seqzoo.errors import RecipeError, UsageError
from seqzoo.recipes.chain import chain_of
from seqzoo.recipes.load import Recipe, load_recipe, recipe, recipe_from
from seqzoo.recipes.overrides import Overrides
from seqzoo.recipes.sections import BudgetSection
from seqzoo.recipes.yaml_reader import MAX_DEPTH, load_yaml


def good() -> dict[str, Any]:
    data: dict[str, Any] = load_yaml(GOOD, "good.yaml")[0]
    return data


def changed(path: str, value: Any) -> dict[str, Any]:
    data = inner = good()
    *parents, last = path.split(".")
    for part in parents:
        inner = inner[part]
    inner[last] = value
    return data


def made(data: Mapping[str, Any], overrides: Overrides = ()) -> Recipe:
    return recipe_from(data, small_registry(), base=Path(), overrides=overrides)


def problems_of(data: Mapping[str, Any], overrides: Overrides = ()) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        made(data, overrides)
    return str(caught.value).splitlines()


def test_a_mapping_gives_the_same_recipe_as_a_file() -> None:
    assert made(good()) == parse()
    assert made(MappingProxyType(good())) == parse()


def test_the_mapping_is_not_changed() -> None:
    data = good()
    before = copy.deepcopy(data)
    made(data, {"train.budget.seconds": 3, "architecture.options.hidden_size": 9})
    made(data, ["sample.chain.0=stop"])
    assert data == before


def test_tuples_paths_and_numbers_of_numpy_are_converted() -> None:
    data = changed("train.optimizer.betas", (0.5, np.float64(0.75)))
    data["corpus"]["options"]["path"] = Path("a") / "b"
    data["train"]["batch_size"] = np.int64(3)
    checked = made(data)
    assert checked.train.optimizer.options.model_dump()["betas"] == (0.5, 0.75)
    assert checked.train.batch_size == 3
    assert checked.corpus.options.path == str(Path("a") / "b")


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("train.batch_size", "16", "train.batch_size is '16', expected a whole number of at least 1."),
        ("train.batch_size", True, "train.batch_size is true, expected a whole number of at least 1."),
        ("train.batch_sise", 16, "unknown option 'train.batch_sise'. Did you mean 'batch_size'?"),
        ("architecture.name", "lsmt", "architecture.name: architecture 'lsmt' is not installed. Did you mean 'lstm'?"),
        ("sample.chain", ["gredy"], "sample.chain.0: sampler 'gredy' is not installed. Did you mean 'greedy'?"),
        ("train.clip_norm", float("nan"), "train.clip_norm: nan is not a finite number."),
        ("train.seed", 2**63, "train.seed: this is too large for a whole number (64 bits)."),
        ("sample.prompt", "a\0", "sample.prompt: text must not contain NUL or half a surrogate pair."),
        ("description", b"x", "description: found bytes, expected text, a number, true or false, null, a list or a mapping."),
        ("architecture.options", {1: 2}, "architecture.options: a key must be text, found int."),
        ("train.budget", {}, "train.budget: give one or more of steps, bytes, epochs and seconds; found none."),
    ],
)  # fmt: skip
def test_a_mistake_names_its_dotted_path_once(path: str, value: Any, expected: str) -> None:
    assert problems_of(changed(path, value)) == [expected]


def test_every_mistake_is_reported_at_once() -> None:
    data = changed("train.batch_size", "16")
    data["architecture"]["name"] = "lsmt"
    assert len(problems_of(data)) == 2


def test_a_missing_section_is_reported_by_its_name() -> None:
    data = good()
    del data["tokenizer"]
    assert problems_of(data) == ["tokenizer is missing, expected a mapping."]


def test_a_list_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless += [endless, endless]
    (problem,) = problems_of(changed("sample.chain", endless))
    assert problem.endswith(f"values are nested more than {MAX_DEPTH} deep.")


def test_overrides_by_path_keep_their_types() -> None:
    values = {
        "train.batch_size": 8,
        "train.bptt_length": [{"from": 0, "length": 9}],
        "sample.prompt": "1e3",
        "description": "true",
        "architecture.options.tie": True,
        "sample.chain.1": {"temperature": 0.5},
        "train.clip_norm": None,
        "train.budget.seconds": 3,
    }
    typed = [
        "train.batch_size=8",
        "train.bptt_length=[{from: 0, length: 9}]",
        "sample.prompt=1e3",
        "description=true",
        "architecture.options.tie=true",
        "sample.chain.1={temperature: 0.5}",
        "train.clip_norm=null",
        "train.budget.seconds=3",
    ]
    expected = parse(GOOD, *typed)
    assert expected.train.budget == BudgetSection(seconds=3)
    assert made(good(), values) == made(good(), typed) == expected


def test_budgets_that_are_set_together_are_all_kept() -> None:
    both = made(good(), {"train.budget": {"steps": 5}, "train.budget.bytes": 7})
    assert both.train.budget == BudgetSection(steps=5, bytes=7)
    assert parse(GOOD, "train.budget={steps: 5}", "train.budget.bytes=7") == both


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("train.batch_size", "8", "train.batch_size is '8', expected a whole number of at least 1."),
        ("train.batch_size=8", 8, "train.batch_size=8: expected a dotted path, such as train.batch_size."),
        ("train..seed", 8, "train..seed: expected a dotted path, such as train.batch_size."),
        ("sample.chain.9", "greedy", "sample.chain.9: sample.chain is a list of 4 entries, counted from 0; there is no entry '9'."),
        ("architecture.name", "lsmt", "architecture.name: architecture 'lsmt' is not installed. Did you mean 'lstm'?"),
        ("train.seed", object(), "train.seed: found object, expected text, a number, true or false, null, a list or a mapping."),
    ],
)  # fmt: skip
def test_a_wrong_override_by_path_is_reported_at_its_path(
    path: str, value: Any, expected: str
) -> None:
    assert problems_of(good(), {path: value}) == [expected]


def test_the_public_function_reads_files_and_mappings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.yaml").write_text(GOOD)
    registry = small_registry()
    loaded = load_recipe(tmp_path / "tiny.yaml", registry, overrides={"train.seed": 4})
    monkeypatch.chdir(tmp_path)
    for source in ("tiny.yaml", tmp_path / "tiny.yaml", good()):
        assert recipe(source, {"train.seed": 4}, registry=registry) == loaded
        assert recipe(source, ["train.seed=4"], registry=registry) == loaded
    assert recipe(good(), registry=registry).base == tmp_path
    with pytest.raises(UsageError, match="does not exist"):
        recipe("absent.yaml", registry=registry)


def test_a_recipe_with_plugin_files_can_be_checked_again(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from seqzoo import TrackerSpec, hookimpl\n"
        "@hookimpl\n"
        "def register_trackers():\n"
        "    return [TrackerSpec(name='mine', summary='', open=lambda *_: None)]\n"
    )
    data = {**good(), "plugins": ["mine.py"], "trackers": [{"name": "mine"}]}
    first = recipe_from(data, small_registry(), base=tmp_path)
    second = recipe(first, {"train.seed": 4})
    assert second.train.seed == 4
    assert second.trackers == first.trackers
    assert second.base == first.base


def test_links_from_python_have_the_forms_of_a_recipe() -> None:
    chain = chain_of(["greedy", {"temperature": np.float64(0.5)}, {"top_k": {"k": 3}}],
                     small_registry())  # fmt: skip
    assert [link.name for link in chain] == ["greedy", "temperature", "top_k"]
    assert (chain[1].options.value, chain[2].options.k) == (0.5, 3)
    with pytest.raises(UsageError, match=r"'gredy' is not installed(.|\n)*chain\.1\.top_k is 'x'"):
        chain_of(["gredy", {"top_k": "x"}], small_registry())


def test_the_example_of_the_documentation_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Path(__file__).parents[2]
    page = (repository / "docs" / "recipes.md").read_text(encoding="utf-8")
    (example,) = [block.partition("```")[0] for block in page.split("```py\n")[1:]]
    monkeypatch.chdir(repository)
    names: dict[str, Any] = {"seqzoo": SimpleNamespace(recipe=recipe)}
    exec(example, names)
    assert names["recipe"].train.budget.steps == 200


def test_the_public_function_uses_installed_plugins_by_default(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("text")
    data = {
        "name": "smallest",
        "corpus": {"name": "file", "options": {"path": tmp_path / "text.txt"}},
        "tokenizer": {"name": "bytes"},
        "architecture": {"name": "lstm"},
        "train": {"budget": {"steps": 1}},
    }
    assert recipe(data).architecture.options.hidden_size > 0
