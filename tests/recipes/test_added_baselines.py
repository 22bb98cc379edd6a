"""`baselines.add`: forms, labels, and the mistakes that are reported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from seqzoo.errors import RecipeError
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe, parse_recipe
from seqzoo.recipes.schema import recipe_schema

TEXT = """\
name: mine
corpus: {name: pastiche, options: {size_bytes: 20000}}
tokenizer: {name: bytes}
architecture: {name: lstm, options: {hidden_size: 8}}
train:
  budget: {steps: 3}
baselines:
"""
ONE = """\
  add:
    - name: external
      label: paq8px
      options:
        compress: paq8px -8 {input} {output}
"""


def parsed(baselines: str, registry: Registry, *overrides: str) -> Recipe:
    return parse_recipe(
        TEXT + baselines,
        registry.trusting(),
        source="r.yaml",
        base=Path(),
        overrides=overrides,
    )


def problems(baselines: str, registry: Registry, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        parsed(baselines, registry, *overrides)
    return str(caught.value)


def test_a_command_is_kept_as_its_words_and_read_again(registry: Registry) -> None:
    recipe = parsed(ONE, registry)
    (added,) = recipe.baselines.add
    assert (added.name, added.label, added.called) == ("external", "paq8px", "paq8px")
    assert added.options.compress == ("paq8px", "-8", "{input}", "{output}")
    stored = recipe.to_yaml()
    again = parse_recipe(stored, registry.trusting(), source="s.yaml", base=Path())
    assert again == recipe
    Draft202012Validator(recipe_schema(registry)).validate(yaml.safe_load(stored))
    Draft202012Validator(recipe_schema(registry)).validate(yaml.safe_load(TEXT + ONE))


def test_it_says_nothing_about_the_training(registry: Registry) -> None:
    assert parsed(ONE, registry).fingerprint == parsed("  include: []\n", registry).fingerprint


@pytest.mark.parametrize(
    ("baselines", "expected"),
    [
        (ONE.replace("paq8px\n", "gzip\n", 1), "r.yaml:10:14: baselines.add has 'gzip'"),
        (ONE + ONE.removeprefix("  add:\n"), "r.yaml:14:14: baselines.add has 'paq8px'"),
        ("  add: [{name: ngrams}]\n", "r.yaml:8:16: baselines.add has 'ngrams'"),
        (ONE.replace("label: paq8px", "label: a b"), "baselines.add.0.label is 'a b', expected"),
        (ONE.replace("external", "externl"), "Did you mean 'external'?"),
        (ONE.replace("compress:", "compres:"), "compress is missing, expected"),
        (ONE.replace("compress:", "compres:"), "Did you mean 'compress'?"),
        (ONE.replace("paq8px -8 {input}", "./paq8px {input}"), "a path that begins with '/'"),
        (ONE.replace("{input}", "input"), "r.yaml:12:19: baselines.add.0.options.compress: the"),
        (ONE + "  include: [external]\n", "name it with its options under baselines.add"),
        (ONE + "  exclude: [paq9]\n", "baseline 'paq9' is not installed"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(
    baselines: str, expected: str, registry: Registry
) -> None:
    assert expected in problems(baselines, registry)


def test_labels_can_be_included_and_excluded(registry: Registry) -> None:
    section = parsed(ONE + "  include: [paq8px, gzip]\n  exclude: [gzip]\n", registry).baselines
    assert [name for name in ("paq8px", "gzip", "xz") if section.chooses(name)] == ["paq8px"]


def test_the_label_of_what_needs_options_can_be_its_name(registry: Registry) -> None:
    (added,) = parsed(ONE.replace("      label: paq8px\n", ""), registry).baselines.add
    assert added.called == "external"


def test_it_can_be_typed_as_an_override(registry: Registry) -> None:
    command = f'["{sys.executable}", "-c", "pass", "{{input}}"]'
    override = f"baselines.add=[{{name: external, options: {{compress: {command}}}}}]"
    recipe = parsed("  exclude: [gzip]\n", registry, override)
    (added,) = recipe.baselines.add
    assert added.options.compress == (sys.executable, "-c", "pass", "{input}")
