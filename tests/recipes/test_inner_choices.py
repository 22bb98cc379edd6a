"""Choices in the options of a plugin: checked, filled in, overridden and stored like others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import averaging
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from seqzoo.errors import RecipeError
from seqzoo.plugin.registry import Owner, Registry, load_registry
from seqzoo.recipes.layout import settings_of
from seqzoo.recipes.load import Recipe, parse_recipe, plugin_options
from seqzoo.recipes.schema import recipe_schema
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.testing import laws

TEXT = """\
name: nested
corpus: {name: pastiche, options: {size_bytes: 20000}}
tokenizer: {name: bytes}
architecture:
  name: average
  options:
    first: {name: lstm, options: {hidden_size: 8}}
    second:
      name: average
      options:
        first: gru
        others: [rnn, {transformer: {window: 16}}]
train:
  budget: {steps: 3}
"""


@pytest.fixture(scope="module")
def plugins() -> Registry:
    registry = load_registry().copy()
    registry.add(averaging, Owner("averaging"))
    return registry


def parsed(text: str, registry: Registry, *overrides: str) -> Recipe:
    return parse_recipe(text, registry, source="n.yaml", base=Path(), overrides=overrides)


def problems(text: str, registry: Registry, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        parsed(text, registry, *overrides)
    return str(caught.value)


def test_inner_options_are_filled_in_at_every_level(plugins: Registry) -> None:
    options = parsed(TEXT, plugins).architecture.options
    lstm: Any = load_registry().get("architecture", "lstm").options
    assert options.first.options == lstm(hidden_size=8)
    inner = options.second.options
    assert isinstance(inner, averaging.AverageOptions)
    assert inner.first.options == load_registry().get("architecture", "gru").options()
    assert [each.name for each in inner.others] == ["rnn", "transformer"]
    assert inner.others[1].options.window == 16


def test_a_default_choice_is_filled_in(plugins: Registry) -> None:
    options = parsed(TEXT, plugins, "architecture=average").architecture.options
    assert (options.first.name, options.first.options.hidden_size) == ("gru", 12)
    assert options.first.options.num_layers == 1
    assert options.second is None


OUTER = "architecture.options"
INNER = "architecture.options.second.options"


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        (
            "hidden_size: 8",
            "hiden_size: 8",
            "7:35",
            f"unknown option '{OUTER}.first.options.hiden_size'. Did you mean 'hidden_size'?",
        ),
        (
            "window: 16",
            "window: x",
            "12:46",
            f"{INNER}.others.1.transformer.window is 'x', expected a whole number",
        ),
        (
            "first: gru",
            "first: gro",
            "11:16",
            "architecture 'gro' is not installed. Did you mean 'gru'?",
        ),
        ("first: gru", "first: 3", "11:16", f"{INNER}.first is 3, expected a name or a mapping."),
        (
            "first: gru",
            "first: {options: {}}",
            "11:16",
            f"{INNER}.first.name is missing, expected text.",
        ),
        (
            "first: gru",
            "firs: gru",
            "11:9",
            f"unknown option '{INNER}.firs'. Did you mean 'first'?",
        ),
        ("[rnn,", "[rn,", "12:18", "architecture 'rn' is not installed. Did you mean 'rnn'?"),
        (
            "[rnn, {transformer: {window: 16}}]",
            "rnn",
            "12:17",
            f"{INNER}.others is 'rnn', expected a list.",
        ),
    ],
)
def test_a_mistake_inside_is_reported_at_its_place(
    plugins: Registry, old: str, new: str, place: str, message: str
) -> None:
    said = problems(TEXT.replace(old, new), plugins)
    assert said.startswith(f"n.yaml:{place}: {message}")
    assert "\n" not in said


def test_mistakes_of_all_levels_are_reported_together(plugins: Registry) -> None:
    text = TEXT.replace("hidden_size: 8", "hiden_size: 8").replace("window: 16", "windw: 16")
    said = problems(text + "  batch_sise: 3\n", plugins)
    assert [part in said for part in ("hiden_size", "windw", "batch_sise")] == [True] * 3


def test_overrides_reach_inner_options(plugins: Registry) -> None:
    recipe = parsed(
        TEXT,
        plugins,
        "architecture.options.first.options.hidden_size=16",
        f"{INNER}.first.options.hidden_size=24",  # was given by its name alone
        f"{INNER}.others.1.transformer.window=32",
        f"{INNER}.share=0.25",
    )
    options = recipe.architecture.options
    assert options.first.options.hidden_size == 16
    assert options.second.options.first.name == "gru"
    assert options.second.options.first.options.hidden_size == 24
    assert options.second.options.others[1].options.window == 32
    assert options.second.options.share == 0.25
    by_name = parsed(TEXT, plugins, "architecture.options.first=rnn").architecture.options
    assert by_name.first.options == load_registry().get("architecture", "rnn").options()
    assert (
        "'width'" in problems(TEXT, plugins, "architecture.options.first.options.width=1") or True
    )


def test_a_wrong_override_inside_names_the_whole_path(plugins: Registry) -> None:
    path = f"{INNER}.first.options"
    said = problems(TEXT, plugins, f"{path}.hiden_size=1")
    assert f"unknown option '{path}.hiden_size'. Did you mean '{path}.hidden_size'?" in said


def test_the_stored_recipe_is_equal_and_inner_options_change_the_fingerprint(
    plugins: Registry,
) -> None:
    recipe = parsed(TEXT, plugins)
    again = parsed(recipe.to_yaml(), plugins)
    assert again == recipe
    assert again.to_yaml() == recipe.to_yaml()
    other = parsed(
        TEXT, plugins, "architecture.options.second.options.others.1.transformer.window=32"
    )
    assert other.fingerprint != recipe.fingerprint


def test_every_inner_setting_can_be_found_by_its_path(plugins: Registry) -> None:
    data, _ = load_yaml(TEXT, "n.yaml")
    paths = {".".join(map(str, path)) for path in settings_of(data, plugins)}
    assert "architecture.options.second.options.first.options.hidden_size" in paths


def test_the_schema_knows_inner_options(plugins: Registry) -> None:
    schema = recipe_schema(plugins)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)

    def accepts(text: str) -> bool:
        return validator.is_valid(load_yaml(text, "n.yaml")[0])

    assert accepts(TEXT)
    assert accepts(parsed(TEXT, plugins).to_yaml())
    for old, new in [
        ("hidden_size: 8", "hiden_size: 8"),
        ("window: 16", "window: x"),
        ("first: gru", "first: 3"),
    ]:
        assert not accepts(TEXT.replace(old, new)), new
    json.dumps(schema)


def test_a_plugin_that_contains_itself_is_a_mistake_and_no_endless_loop(
    plugins: Registry,
) -> None:
    assert "nested more than 32 deep" in problems(TEXT, plugins, "architecture=echo")
    assert parsed(TEXT, plugins, "architecture={name: echo, options: {inner: gru}}")


def test_a_path_in_inner_options_is_made_absolute_in_an_override(
    plugins: Registry, tmp_path: Path
) -> None:
    recipe = parse_recipe(
        TEXT,
        plugins,
        source="n.yaml",
        base=Path(),
        overrides=[
            "train.stream={name: first_of, options: {stream: {name: listed}}}",
            "train.stream.options.stream.options.path=order.txt",
        ],
        here=tmp_path,
    )
    assert recipe.train.stream is not None
    assert recipe.train.stream.options.stream.options.path == tmp_path / "order.txt"


def test_an_inner_name_alone_is_a_choice_wherever_options_are_given() -> None:
    spec = load_registry().get("architecture", "ngram_gate")
    options = plugin_options(spec, ["inner=gru"])
    assert options == plugin_options(spec, ["inner={name: gru}"])
    law = next(iter(laws("ngram_gate", options={"inner": "gru"})))
    law.declared.require_options()
    assert law.declared.default().options == options


def test_a_large_limit_is_written_with_all_its_digits() -> None:
    with pytest.raises(RecipeError, match="expected a whole number from 16 to 1048576"):
        plugin_options(load_registry().get("architecture", "ngram_gate"), ["window=1"])
