"""The JSON Schema accepts and refuses the same recipes as the loader."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from small_recipe import GOOD, parse, small_registry

from seqzoo.plugin.registry import Registry
from seqzoo.recipes.schema import recipe_schema
from seqzoo.recipes.yaml_reader import load_yaml

REFERENCE = Path(__file__).parents[2] / "docs" / "recipes.md"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = recipe_schema(small_registry())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def changed(path: str, value: Any) -> Any:
    """The good recipe with one value set."""
    data, _ = load_yaml(GOOD, "x.yaml")
    data = inner = copy.deepcopy(data)
    *parents, last = path.split(".")
    for part in parents:
        inner = inner[int(part)] if isinstance(inner, list) else inner.setdefault(part, {})
    inner[int(last) if isinstance(inner, list) else last] = value
    return data


ACCEPTED: list[tuple[str, Any]] = [
    ("description", ""),
    ("corpus.fallback", {"name": "file", "options": {"path": "x"}}),
    ("corpus.fallback", None),
    ("architecture", {"name": "former", "options": {"window": "all"}}),
    ("architecture", {"name": "gru"}),
    ("train.bptt_length", 64),
    ("train.clip_norm", 0.5),
    ("train.budget", {"seconds": 2.5}),
    ("train.budget", {"steps": 9, "epochs": 0.5}),
    ("sample.chain", []),
    ("sample.chain", [{"greedy": None}, {"greedy": {}}, {"top_k": 3}, "temperature"]),
    ("runtime.device", "cuda:1"),
]

REFUSED: list[tuple[str, Any]] = [
    ("nmae", "x"),
    ("name", "../x"),
    ("corpus.pth", "x"),
    ("corpus.options.pth", "x"),
    ("corpus.options.path", 3),
    ("corpus.fallback", "plas"),
    ("corpus.fallback", {"name": "plas"}),
    ("corpus.fallback", {"name": "file", "options": {"pth": 1}}),
    ("corpus.name", "fil"),
    ("architecture.name", "lsmt"),
    ("architecture.options.hiden_size", 3),
    ("architecture.options.hidden_size", 0),
    ("architecture.options.hidden_size", "64"),
    ("architecture", {"name": "former", "options": {"dropout": 0.1}}),
    ("tokenizer", "bytes"),
    ("tokenizer", {"options": {}}),
    ("train.batch_size", True),
    ("train.budget", {}),
    ("train.bptt_length", [{"from": 0, "lenth": 3}]),
    ("train.optimizer.name", "sgd"),
    ("train.stream", {"name": "lane"}),
    ("train.start_from", 3),
    ("sample.chain", ["gredy"]),
    ("sample.chain", [{"temprature": 1}]),
    ("sample.chain", [{"temperature": "hot"}]),
    ("sample.chain", [{"top_k": {"j": 1}}]),
    ("sample.chain", [{"top_k": 1, "temperature": 1}]),
    ("sample.chain", [{"greedy": 1}]),
    ("trackers", [{"name": "line"}]),
    ("trackers", [{"name": "lines", "options": {"pth": 1}}]),
    ("runtime.device", "gpu"),
]


def loads(data: Any) -> bool:
    try:
        parse(json.dumps(data))
    except Exception:
        return False
    return True


def test_a_recipe_and_its_dumped_form_are_accepted(
    validator: Draft202012Validator,
) -> None:
    for text in (GOOD, parse().to_yaml()):
        data, _ = load_yaml(text, "x.yaml")
        assert [error.message for error in validator.iter_errors(data)] == []


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_the_schema_accepts_what_the_loader_accepts(
    validator: Draft202012Validator, path: str, value: Any
) -> None:
    data = changed(path, value)
    assert loads(data)
    assert [error.message for error in validator.iter_errors(data)] == []


@pytest.mark.parametrize(("path", "value"), REFUSED)
def test_the_schema_refuses_what_the_loader_refuses(
    validator: Draft202012Validator, path: str, value: Any
) -> None:
    data = changed(path, value)
    assert not loads(data)
    assert not validator.is_valid(data)


def test_a_recipe_with_plugin_files_can_name_plugins_that_are_not_installed(
    validator: Draft202012Validator,
) -> None:
    data = changed("architecture", {"name": "own", "options": {"width": 3}})
    assert not validator.is_valid(data)
    data["plugins"] = ["./own.py"]
    assert validator.is_valid(data)
    data["corpus"]["options"]["pth"] = 1
    assert not validator.is_valid(data)


def test_the_schema_is_the_same_for_the_same_plugins(validator: Draft202012Validator) -> None:
    again = recipe_schema(small_registry())
    assert json.dumps(again) == json.dumps(validator.schema)


def test_the_schema_of_everything_installed_is_valid(registry: Registry) -> None:
    Draft202012Validator.check_schema(recipe_schema(registry))
    Draft202012Validator.check_schema(recipe_schema(Registry()))


def test_every_field_has_a_description() -> None:
    def described(section: dict[str, Any]) -> bool:
        return all(field.get("description") for field in section.get("properties", {}).values())

    schema = recipe_schema(Registry())
    sections = {name: s for name, s in schema["$defs"].items() if "." not in name}
    assert [name for name, section in sections.items() if not described(section)] == []
    assert described({"properties": schema["properties"]})


def test_the_recipes_of_the_reference_are_good() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in text.split("```yaml\n")[1:]]
    whole = [block for block in blocks if block.startswith("name:")]
    assert whole
    for block in whole:
        assert parse(block).name
