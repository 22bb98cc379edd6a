"""Overrides: converted to the type of their field, checked like the recipe, reported as typed."""

# ruff: noqa: E501 (tables of mistakes read best with one on a line)

from __future__ import annotations

import pytest
from small_recipe import (
    GOOD,
    LSTMOptions,
    parse,
    problems_of,
    small_registry,
)

from seqzoo.errors import RecipeError
from seqzoo.recipes.load import plugin_options
from seqzoo.recipes.sections import BudgetSection


def test_overrides_are_typed_by_their_field() -> None:
    recipe = parse(
        GOOD,
        "train.batch_size=8",
        "train.optimizer.learning_rate=1e-4",
        "architecture.options.hidden_size=32",
        "architecture.options.tie=true",
        "corpus.options.path=17",
        "name=1",
        "description=true",
        "sample.prompt=ROMEO: # no",
        "sample.chain.1.temperature=1",
        "sample.chain.3.stop=2",
        "train.bptt_length=[{from: 0, length: 9}]",
        "evaluate.lanes=4",
        "corpus.fallback=null",
        "runtime.threads=2",
    )
    assert recipe.train.batch_size == 8
    assert recipe.train.optimizer.options.learning_rate == 1e-4
    assert recipe.architecture.options == LSTMOptions(hidden_size=32, dropout=0.1, tie=True)
    assert recipe.corpus.options.path == "17"
    assert (recipe.name, recipe.description) == ("1", "true")
    assert recipe.sample.prompt == "ROMEO: # no"
    assert recipe.sample.chain[1].options.value == 1.0
    assert recipe.sample.chain[3].options.text == "2"
    assert recipe.train.bptt_length_at(0.9) == 9
    assert recipe.evaluate.lanes == 4
    assert recipe.corpus.fallback is None
    assert recipe.runtime.threads == 2


@pytest.mark.parametrize(
    "prompt",
    ["", " a ", "[", "{", "- x", "a: b", "null", "~", "1e3", "# x", "*a", "&a b", "!t x", "é=é"],
)
def test_a_prompt_is_what_was_typed(prompt: str) -> None:
    assert parse(GOOD, f"sample.prompt={prompt}").sample.prompt == prompt


def test_quotes_and_escapes_in_an_override_are_those_of_yaml() -> None:
    assert parse(GOOD, r'sample.prompt="a\nb"').sample.prompt == "a\nb"
    assert parse(GOOD, "description='12'").description == "12"


def test_another_architecture_gets_the_options_of_the_file() -> None:
    assert parse(GOOD, "architecture.name=gru").architecture.options.hidden_size == 64
    (problem,) = problems_of(GOOD, ["architecture.name=former"])
    assert problem.message.startswith("unknown option 'architecture.options.dropout'.")
    assert problem.line == 10


def test_an_average_replaces_the_other_kind() -> None:
    chosen = parse(GOOD, "train.average.ema.share=0.2")
    other = parse(chosen.to_yaml(), "train.average.last_k.k=3").train.average
    assert other is not None
    assert other.ema is None
    assert other.last_k is not None


def test_a_budget_override_replaces_the_other_unit() -> None:
    assert parse(GOOD, "train.budget.seconds=30").train.budget == BudgetSection(seconds=30)
    assert parse(GOOD, "train.budget={bytes: 9}").train.budget == BudgetSection(bytes=9)
    both = parse(GOOD, "train.budget.seconds=30", "train.budget.bytes=5").train.budget
    assert both == BudgetSection(seconds=30, bytes=5)
    steps = parse(GOOD).train.budget.steps
    bounded = parse(GOOD, "train.budget.epochs=3").train.budget
    assert bounded == BudgetSection(steps=steps, epochs=3)
    (problem,) = problems_of(GOOD, ["train.budget.second=30"])
    assert (
        problem.message
        == "unknown option 'train.budget.second'. Did you mean 'train.budget.seconds'?"
    )


BAD_OVERRIDES: list[tuple[str, str]] = [
    ("train.batch_size=many", "train.batch_size is 'many', expected a whole number of at least 1."),
    ("train.batch_size=[1", "train.batch_size is '[1', expected a whole number of at least 1."),
    ("train.batch_sise=3", "unknown option 'train.batch_sise'. Did you mean 'train.batch_size'?"),
    ("trian.batch_size=3", "unknown option 'trian'. Did you mean 'train.batch_size=3'?"),
    ("architecture.options.hiden=3", "unknown option 'architecture.options.hiden'. Did you mean 'architecture.options.hidden_size'?"),
    ("architecture.name=lsmt", "architecture 'lsmt' is not installed. Did you mean 'lstm'?"),
    ("name.first=3", "name is 'tiny', so 'first' cannot be set in it."),
    ("sample.chain.9=greedy", "sample.chain is a list of 4 entries, counted from 0; there is no entry '9'."),
    ("sample.chain.x=greedy", "sample.chain is a list of 4 entries, counted from 0; there is no entry 'x'."),
    ("sample.chain.-1=greedy", "sample.chain is a list of 4 entries, counted from 0; there is no entry '-1'."),
    ("sample.chain.0=gredy", "sampler 'gredy' is not installed. Did you mean 'greedy'?"),
    ("train.optimizer.learning_rate=.nan", "train.optimizer.learning_rate is '.nan', expected a number above 0."),
    ("train", "expected key=value, such as train.batch_size=16."),
    ("=3", "expected key=value, such as train.batch_size=16."),
    ("train..seed=3", "expected key=value, such as train.batch_size=16."),
    (".".join("a" * 100) + "=3", "expected key=value, such as train.batch_size=16."),
    ("name=\udc80", "this is not UTF-8 text."),
]  # fmt: skip


@pytest.mark.parametrize(("override", "message"), BAD_OVERRIDES)
def test_a_wrong_override_is_reported_as_it_was_typed(override: str, message: str) -> None:
    (problem,) = problems_of(GOOD, [override])
    assert (problem.source, problem.line, problem.message) == (override, 0, message)


def test_mappings_that_are_missing_on_the_path_of_an_override_are_made() -> None:
    recipe = parse(GOOD, "train.checkpoint.keep=5", "tokenizer.options={}")
    assert recipe.train.checkpoint.keep == 5


def test_options_can_be_given_without_a_recipe() -> None:
    spec = small_registry().get("architecture", "lstm")
    assert plugin_options(spec, ["hidden_size=9"]) == LSTMOptions(hidden_size=9)
    with pytest.raises(RecipeError, match=r"hiden=9: unknown option 'hiden'\. Did you mean"):
        plugin_options(spec, ["hiden=9"])


@pytest.mark.parametrize(
    "override",
    [
        "train.optimizer=descent",
        "train.optimizer.name=descent",
        "train.optimizer={name: descent}",
        "train={optimizer: {name: descent}}",
    ],
)
def test_another_plugin_keeps_the_options_beside_its_name_that_it_has(override: str) -> None:
    assert "betas" in parse(GOOD).train.optimizer.options.model_dump()
    optimizer = parse(GOOD, override).train.optimizer
    assert optimizer.name == "descent"
    assert optimizer.options.model_dump() == {"learning_rate": 3e-3, "weight_decay": 0.01}


def test_a_schedule_is_replaced_by_its_name_and_the_warm_up_stays() -> None:
    text = GOOD.replace("decay: linear", "decay: linear, final_fraction: 0.5")
    schedule = parse(text, "train.schedule=cosine").train.schedule
    assert (schedule.name, schedule.warmup_steps) == ("cosine", 50)
    assert schedule.options.final_fraction == 0.5
    schedule = parse(text, "train.schedule.decay=flat").train.schedule
    assert (schedule.name, schedule.warmup_steps) == ("flat", 50)


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        (GOOD, ["train.optimizer=descent", "train.optimizer.betas=[0.5, 0.5]"]),
        (GOOD, ["train.optimizer={name: descent, betas: [0.5, 0.5]}"]),
        (GOOD.replace("name: muon", "name: descent"), []),
        (GOOD.replace("betas", "beta"), ["train.optimizer=descent"]),
    ],
)
def test_an_option_that_no_plugin_was_replaced_for_is_a_mistake(
    text: str, overrides: list[str]
) -> None:
    (problem,) = problems_of(text, overrides)
    assert problem.message.startswith("unknown option 'train.optimizer.beta")
