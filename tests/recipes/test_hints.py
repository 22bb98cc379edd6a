"""Wrong names are answered with the setting that was meant; choices can be given by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from small_recipe import GOOD, LSTMOptions, parse, problems_of, small_registry

from seqzoo.errors import RecipeError, UsageError
from seqzoo.recipes.layout import LAYOUT, settings_of
from seqzoo.recipes.load import Recipe, recipe, recipe_from
from seqzoo.recipes.overrides import Overrides
from seqzoo.recipes.sections import BudgetSection
from seqzoo.recipes.validation import dotted
from seqzoo.recipes.yaml_reader import load_yaml

ANSWERS = [
    ("train.optimizer.lr=0.1", "'train.optimizer.learning_rate=0.1'"),
    ("lr=0.1", "'train.optimizer.learning_rate=0.1'"),
    ("train.lr=0.1", "'train.optimizer.learning_rate=0.1'"),
    ("optimizer.lr=0.1", "'train.optimizer.learning_rate=0.1'"),
    ("LR=0.1", "'train.optimizer.learning_rate=0.1'"),
    ("steps=30", "'train.budget.steps=30'"),
    ("train.steps=30", "'train.budget.steps=30'"),
    ("train.step=30", "'train.budget.steps=30'"),
    ("epochs=3", "'train.budget.epochs=3'"),
    ("hidden_size=64", "'architecture.options.hidden_size=64'"),
    ("architecture.hidden_size=64", "'architecture.options.hidden_size=64'"),
    ("model.hidden_size=64", "'architecture.options.hidden_size=64'"),
    ("hiddensize=64", "'architecture.options.hidden_size=64'"),
    ("dropout=0.5", "'architecture.options.dropout=0.5'"),
    ("train.batchsize=16", "'train.batch_size'"),
    ("train.budget.stps=9", "'train.budget.steps'"),
    ("architecture.options.hiden_size=8", "'architecture.options.hidden_size'"),
    ("batch-size=16", "'train.batch_size=16'"),
    ("bs=16", "'train.batch_size=16'"),
    ("wd=0", "'train.optimizer.weight_decay=0'"),
    ("seed=2", "'train.seed=2' or 'sample.seed=2'"),
    ("prompt=to be", "'sample.prompt=to be'"),
    ("device=cpu", "'runtime.device=cpu'"),
    ("arch=gru", "'architecture=gru'"),
    ("segment_length=3", "'evaluate.adaptive.segment_length=3'"),
    ("temperature=0.5", "'sample.chain.1.temperature=0.5'"),
    ("trian.batch_size=3", "'train.batch_size=3'"),
    ("train={lr: 3}", "'train.optimizer.learning_rate'"),
    ("train.budget=100", "'train.budget.steps=100'"),
    ("train.optimizer=0.01", "'train.optimizer.learning_rate=0.01'"),
    ("decay=linear", "'train.schedule.decay=linear'"),
    ("runtime=cpu", "'runtime.device=cpu'"),
    ("evaluate.adaptive=0.1", "'evaluate.adaptive.learning_rate=0.1'"),
    ("sample.chain=greedy", "'sample.chain=[greedy]'"),
    ("trackers=csv", "'trackers=[{name: csv}]'"),
    ("trackers=[csv]", "'{name: csv}'"),
]  # fmt: skip


@pytest.mark.parametrize(("override", "meant"), ANSWERS)
def test_a_wrong_name_is_answered_with_the_setting_to_paste(override: str, meant: str) -> None:
    problems = [p for p in problems_of(GOOD, [override]) if "did you mean" in p.message.lower()]
    assert [p.message.partition(" Did you mean ")[2] for p in problems] == [f"{meant}?"]


@pytest.mark.parametrize(
    ("override", "meant"), [row for row in ANSWERS if "=" in row[1] and " or " not in row[1]]
)
def test_what_an_answer_says_is_accepted(override: str, meant: str) -> None:
    if "csv" not in override:  # no tracker has that name
        parse(GOOD, meant.strip("'"))


def test_a_section_of_sections_is_answered_with_its_first_section() -> None:
    (problem,) = problems_of(GOOD, ["train.average=ema"])
    assert problem.message == "train.average has parts: write 'train.average.ema={}'."
    assert parse(GOOD, "train.average.ema={}").train.average is not None


def test_a_wrong_name_in_a_file_is_answered_with_its_path() -> None:
    (problem,) = problems_of(GOOD + "lr: 0.1\n", [])
    assert problem.message == "unknown option 'lr'. Did you mean 'train.optimizer.learning_rate'?"
    (problem,) = problems_of(GOOD.replace("{name: bytes}", "bytes"), [])
    assert problem.message.endswith("expected a mapping. Did you mean '{name: bytes}'?")
    (problem,) = problems_of(GOOD.replace("{name: bytes}", "byte"), [])
    assert problem.message.endswith("expected a mapping. Did you mean '{name: bytes}'?")
    (problem,) = problems_of(GOOD.replace("{name: bytes}", "quite_another"), [])
    assert problem.message == "tokenizer has parts: write '{name: NAME}'."


@pytest.mark.parametrize("override", ["nonsense=3", "options=3", "train=5", "train.budget=soon"])
def test_without_a_clear_answer_nothing_is_guessed(override: str) -> None:
    assert "Did you mean" not in problems_of(GOOD, [override])[0].message


@pytest.mark.parametrize("value", ["x" * 10_000, "two\nlines", "it's", "\x1b[31m"])
def test_an_answer_repeats_no_value_that_cannot_be_pasted(value: str) -> None:
    (problem,) = problems_of(GOOD, [f"prompt={value}"])
    assert problem.message == "unknown option 'prompt'. Did you mean 'sample.prompt'?"
    assert "Did you mean" not in problems_of(GOOD, [f"sample={value}"])[0].message


def test_every_setting_can_be_found_by_its_own_path() -> None:
    data, _ = load_yaml(GOOD, "good")
    paths = [".".join(map(str, path)) for path in settings_of(data, small_registry())]
    assert len(paths) == len(set(paths))
    assert {"train.budget.steps", "architecture.options.tie", "runtime.threads"} <= set(paths)
    for path in LAYOUT.sections:
        assert path[-1] == "options" or set(LAYOUT.sections[path].model_fields)  # type: ignore[union-attr]


def made(overrides: Overrides) -> Recipe:
    return recipe_from(
        load_yaml(GOOD, "good")[0], small_registry(), base=Path(), overrides=overrides
    )


def test_a_choice_by_its_name_has_the_default_options_of_its_plugin() -> None:
    assert parse(GOOD).architecture.options.dropout == 0.1
    for overrides in (
        ["architecture=former"],
        ["architecture={name: former}"],
        {"architecture": "former"},
        {"architecture": {"name": "former"}},
    ):
        chosen = made(overrides).architecture
        registry = small_registry()
        assert chosen.name == "former"
        assert chosen.options == registry.get("architecture", "former").options()


def test_options_that_an_override_has_set_stay_with_a_choice_by_its_name() -> None:
    for overrides in (
        ["architecture.options.hidden_size=8", "architecture=lstm"],
        ["architecture=lstm", "architecture.options.hidden_size=8"],
        ["architecture={name: lstm, options: {hidden_size: 8}}"],
    ):
        assert parse(GOOD, *overrides).architecture.options == LSTMOptions(hidden_size=8)
    kept = parse(GOOD, "corpus.options.path=17", "corpus=file").corpus
    assert kept.options.path == "17"


def test_a_choice_by_its_name_keeps_the_other_settings_of_its_section() -> None:
    given = ["corpus.split={train: 0.5, validation: 0.25, test: 0.25}", "corpus=file"]
    split = parse(GOOD, *given).corpus.split
    assert split is not None
    assert split.train == 0.5


def test_a_fallback_by_name_can_be_given_options() -> None:
    text = parse(GOOD, "corpus.fallback=file", "corpus.fallback.options.path=a").corpus
    assert text.fallback is not None
    assert text.fallback.options.path == "a"


@pytest.mark.parametrize("as_text", [False, True])
def test_a_mapping_changes_only_the_settings_that_it_names(as_text: bool) -> None:
    def changed(path: str, value: Any, text: str) -> Recipe:
        return made([f"{path}={text}"] if as_text else {path: value})

    before = parse(GOOD)
    after = changed("train", {"batch_size": 4}, "{batch_size: 4}")
    assert after == parse(GOOD, "train.batch_size=4")
    assert after.train.budget == before.train.budget
    nested = changed(
        "train", {"optimizer": {"weight_decay": 0.5}}, "{optimizer: {weight_decay: 0.5}}"
    )
    assert nested == parse(GOOD, "train.optimizer.weight_decay=0.5")
    assert changed("train.budget", {"seconds": 3}, "{seconds: 3}").train.budget == BudgetSection(
        seconds=3
    )
    options = changed("architecture.options", {"hidden_size": 8}, "{hidden_size: 8}")
    assert options == parse(GOOD, "architecture.options.hidden_size=8")
    reset = made({"train.optimizer.weight_decay": 0.5, "train.optimizer": {}})
    assert reset == parse(re.sub("optimizer: .*", "optimizer: {}", GOOD))


def test_mistakes_in_a_nested_mapping_name_the_path_of_the_setting() -> None:
    with pytest.raises(RecipeError) as caught:
        made({"train": {"batch_size": "4", "bach_size": 4, "optimizer": {"lr": 1}}})
    assert sorted(str(caught.value).splitlines()) == [
        "train.batch_size is '4', expected a whole number of at least 1.",
        "unknown option 'train.bach_size'. Did you mean 'batch_size'?",
        "unknown option 'train.optimizer.lr'. Did you mean 'train.optimizer.learning_rate'?",
    ]


@pytest.mark.parametrize("wrong", [None, 5, True, b"train.seed=1", object()])
def test_overrides_of_a_wrong_type_are_one_sentence(wrong: Any) -> None:
    for source in (load_yaml(GOOD, "good")[0], parse(GOOD)):
        with pytest.raises(
            UsageError, match=r"^overrides is .*expected a mapping such as"
        ) as error:
            recipe(source, wrong, registry=small_registry())
        assert "\n" not in str(error.value)


def test_one_override_can_be_given_as_text() -> None:
    for overrides in ("train.seed=7", ["train.seed=7"], ("train.seed=7",), {"train.seed": 7}):
        assert made(overrides).train.seed == 7


def test_a_section_with_another_value_is_answered_with_a_setting_that_it_has() -> None:
    for path in LAYOUT.sections:
        if path[-1] in (
            "options",
            "fallback",
            "decoder",
        ):  # options of a plugin; a name is accepted too
            continue
        (problem, *_) = problems_of(GOOD, [f"{dotted(path)}=[x, y]"])
        where, said, rest = problem.message.partition(" has parts: write '")
        setting, end, nothing = rest.partition("'.")
        assert (end, nothing) == ("'.", "")
        assert said, problem.message
        assert where == dotted(path)
        assert setting.startswith(f"{where}.")
        messages = [each.message for each in problems_of(GOOD, [setting])]
        assert not any("unknown" in each or "expected" in each for each in messages), messages


def test_the_budget_is_answered_with_steps() -> None:
    (problem,) = problems_of(GOOD, ["train.budget=abc"])
    assert problem.message == "train.budget has parts: write 'train.budget.steps=100'."
