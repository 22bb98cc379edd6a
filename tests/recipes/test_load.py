"""Recipes: mistakes with their place, plugin files, fingerprints, dumping and reading."""

# ruff: noqa: E501 (tables of mistakes read best with one on a line)

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from small_recipe import (
    GOOD,
    SPECS,
    LSTMOptions,
    TemperatureOptions,
    TopKOptions,
    parse,
    problems_of,
    small_registry,
)

from seqzoo.errors import RecipeError, UsageError
from seqzoo.recipes.load import load_recipe, parse_recipe
from seqzoo.recipes.sections import BudgetSection, TrainSection

PLUGIN_FILE = """
from seqzoo import ArchitectureSpec, Options, hookimpl

class Own(Options):
    width: int = 3

@hookimpl
def register_architectures():
    return [ArchitectureSpec(name="own", summary="mine", options=Own, build=lambda *_: None)]
"""


def with_change(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_good_recipe_gives_every_section_and_plugin_options() -> None:
    recipe = parse(base=Path("somewhere"))
    assert recipe.architecture.options == LSTMOptions(hidden_size=64, dropout=0.1)
    assert recipe.corpus.options.path == "../text.txt"
    assert recipe.corpus.fallback is not None
    assert recipe.corpus.fallback.name == "plays"
    assert [link.name for link in recipe.sample.chain] == ["greedy", "temperature", "top_k", "stop"]
    assert recipe.sample.chain[1].options == TemperatureOptions(value=0.8)
    assert recipe.sample.chain[2].options == TopKOptions(k=5)
    assert recipe.trackers[0].options.path == "x.jsonl"
    assert recipe.train.budget == BudgetSection(steps=1000)
    assert recipe.train.clip_norm is None
    assert recipe.train.log_every_steps == 20
    assert recipe.base == Path("somewhere")
    assert recipe.registry.get("architecture", "lstm").options is LSTMOptions


def test_a_recipe_cannot_be_changed() -> None:
    recipe = parse()
    for section, field in ((recipe, "name"), (recipe.train, "seed"), (recipe.corpus, "options")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, field, 1)


def test_each_stage_begins_at_its_share_of_the_budget() -> None:
    train = parse().train
    assert [train.bptt_length_at(share) for share in (0.0, 0.49, 0.5, 1.2)] == [32, 32, 64, 64]
    assert TrainSection(bptt_length=7, budget=BudgetSection(steps=1)).bptt_length_at(0.9) == 7


MISTAKES: list[tuple[str, str, str]] = [  # what is replaced, by what (^ the place), the problem
    ("hidden_size: 64", "^hiden_size: 64", "unknown option 'architecture.options.hiden_size'. Did you mean 'hidden_size'?"),
    ("name: lstm", "name: ^lsmt", "architecture 'lsmt' is not installed. Did you mean 'lstm'?"),
    ("batch_size: 16", "batch_size: ^many", "train.batch_size is 'many', expected a whole number of at least 1."),
    ("batch_size: 16", "batch_size: ^0", "train.batch_size is 0, expected a whole number of at least 1."),
    ("batch_size: 16", "batch_size: ^true", "train.batch_size is true, expected a whole number of at least 1."),
    ("batch_size: 16", "batch_size: ^'16'", "train.batch_size is '16', expected a whole number of at least 1."),
    ("batch_size: 16", "batch_size: 16\n  accumulation_steps: ^1000000000000000", "train.accumulation_steps is 1000000000000000, expected a whole number from 1 to 10000."),
    ("batch_size: 16", "batch_size: ^1.5", "train.batch_size is 1.5, expected a whole number of at least 1."),
    ("batch_size: 16", "batch_size:^", "train.batch_size is null, expected a whole number of at least 1."),
    ("batch_size: 16", "batch_size: ^[1]", "train.batch_size is a list, expected a whole number of at least 1."),
    ("hidden_size: 64", "hidden_size: ^65537", "architecture.options.hidden_size is 65537, expected a whole number from 1 to 65536."),
    ("dropout: 0.1", "dropout: ^1", "architecture.options.dropout is 1, expected a number of at least 0 and below 1."),
    ("name: tiny", "name: ^../tiny", "name: '../tiny' cannot name a run; use up to 100 letters, digits, '_', '.' and '-', and do not begin with '.' or '-'."),
    ("name: tiny", "name: ^..", "name: '..' cannot name a run; use up to 100 letters, digits, '_', '.' and '-', and do not begin with '.' or '-'."),
    ("name: tiny", "name: ^1", "name is 1, expected text such as 'my_run'."),
    ("name: tiny\n", "^", "name is missing, expected text such as 'my_run'."),
    ("train:", "^trian:", "unknown option 'trian'. Did you mean 'train'?"),
    ("budget: {steps: 1e3}", "budget: ^{}", "train.budget: give one or more of steps, bytes, epochs and seconds; found none."),
    ("[{from: 0.0", "^[{from: 0.1", "train.bptt_length: stages must begin at 0 and increase; found from: 0.1, 0.5."),
    ("[{from: 0.0, length: 32}, {from: 0.5", "^[{from: 0.0, length: 32}, {from: 0.0", "train.bptt_length: stages must begin at 0 and increase; found from: 0, 0."),
    ("length: 64", "length: ^x", "train.bptt_length.1.length is 'x', expected a whole number of at least 1."),
    ("length: 64", "^lenth: 64", "unknown option 'train.bptt_length.1.lenth'. Did you mean 'length'?"),
    ("name: muon", "name: ^sgd", "optimizer 'sgd' is not installed. Choose from: adamw, descent, muon."),
    ("name: muon", "name: ^3", "train.optimizer.name is 3, expected text."),
    ("betas: [0.9, 0.95]", "^nesterov: true", "unknown option 'train.optimizer.nesterov'. Choose from: betas, epsilon, learning_rate, matrix_learning_rate, momentum, name, weight_decay."),
    ("betas: [0.9, 0.95]", "^beta: [0.9, 0.95]", "unknown option 'train.optimizer.beta'. Did you mean 'betas'?"),
    ("optimizer: {name: muon, learning_rate: 3e-3, betas: [0.9, 0.95]}", "optimizer: {learning_rate: ^no}", "train.optimizer.learning_rate is 'no', expected a number above 0."),
    ("optimizer: {name: muon, learning_rate: 3e-3, betas: [0.9, 0.95]}", "optimizer: ^[muon]", "train.optimizer has parts: write '{name: adamw}'."),
    ("betas: [0.9, 0.95]", "betas: [0.9, ^1]", "train.optimizer.betas.1 is 1, expected a number of at least 0 and below 1."),
    ("decay: linear", "decay: ^liner", "schedule 'liner' is not installed. Did you mean 'linear'?"),
    ("decay: linear", "decay: linear, final_fraction: ^2", "train.schedule.final_fraction is 2, expected a number from 0 to 1."),
    ("decay: linear", "decay: flat, ^final_fraction: 0.5", "unknown option 'train.schedule.final_fraction'. Choose from: decay, warmup_steps."),
    ("warmup_steps: 50", "warmup_steps: ^-1", "train.schedule.warmup_steps is -1, expected a whole number of at least 0."),
    ("warmup_steps: 50", "^warmup: 50", "unknown option 'train.schedule.warmup'. Did you mean 'train.schedule.warmup_steps'?"),
    ("clip_norm: null", "clip_norm: ^0", "train.clip_norm is 0, expected a number above 0 or null."),
    ("fallback: plays", "fallback: ^plas", "corpus 'plas' is not installed. Did you mean 'plays'?"),
    ("fallback: plays", "fallback: {name: ^plas}", "corpus 'plas' is not installed. Did you mean 'plays'?"),
    ("fallback: plays", "fallback: ^3", "corpus.fallback is 3, expected text, a mapping or null."),
    ("fallback: plays", "split: ^{train: 0.5}", "corpus.split: train, validation and test add up to 0.6, expected 1."),
    ("{name: bytes}", "^bytes", "tokenizer is 'bytes', expected a mapping. Did you mean '{name: bytes}'?"),
    ("{name: bytes}", "{name: bytes, options: {^a: 1}}", "unknown option 'tokenizer.options.a'."),
    ("{name: bytes}", "{^nam: bytes}", "unknown option 'tokenizer.nam'. Did you mean 'name'?"),
    ("greedy,", "^gredy,", "sampler 'gredy' is not installed. Did you mean 'greedy'?"),
    ("{temperature: 0.8}", "{^temprature: 0.8}", "sampler 'temprature' is not installed. Did you mean 'temperature'?"),
    ("{temperature: 0.8}", "{temperature: ^cold}", "sample.chain.1.temperature is 'cold', expected a number of at least 0."),
    ("{temperature: 0.8}", "{greedy: ^1}", "sample.chain.1.greedy is 1, expected a mapping of options."),
    ("{temperature: 0.8}", "^{greedy: 1, top_k: 2}", "sample.chain.1 is a mapping of 2 keys, expected a sampler's name, or one with its options."),
    ("{temperature: 0.8}", "^7", "sample.chain.1 is 7, expected a sampler's name, or one with its options."),
    ("{k: 5}", "{k: ^0}", "sample.chain.2.top_k.k is 0, expected a whole number of at least 1."),
    ("name: lines", "name: ^line", "tracker 'line' is not installed. Did you mean 'lines'?"),
    ("{path: x.jsonl}", "{path: ^3}", "trackers.0.options.path is 3, expected text."),
    ('prompt: "ROMEO:"', "prompt: ^12", "sample.prompt is 12, expected text."),
    ("sample:\n", "runtime: {device: ^gpu}\nsample:\n", "runtime.device is 'gpu', expected text such as 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'."),
    ("sample:\n", "runtime: {compile: ^yes}\nsample:\n", "runtime.compile is 'yes', expected true or false."),
    ("sample:\n", "plugins: ^absent.py\nsample:\n", "plugins is 'absent.py', expected a list."),
    ("sample:\n", "plugins: [^absent.py]\nsample:\n", f"plugin file {Path('absent.py').absolute()} could not be loaded: no such Python file."),
    ("{name: bytes}", "{name: bytes, options: ^3}", "tokenizer.options is 3, expected a mapping."),
    ("{k: 5}", "{^j: 5}", "unknown option 'sample.chain.2.top_k.j'. Choose from: k."),
    ("  name: lstm\n  options:", "  ^options:", "architecture.name is missing, expected text."),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), MISTAKES)
def test_a_mistake_is_reported_once_at_its_place(old: str, new: str, expected: str) -> None:
    text = with_change(old, new)
    before = text.partition("^")[0].split("\n")
    reported = problems_of(text.replace("^", "", 1))
    # The key that a renamed one leaves missing is reported too, as a second mistake.
    (problem,) = [p for p in reported if " is missing, " not in p.message or p.message == expected]
    assert problem.message == expected
    assert (problem.line, problem.column) == (len(before), len(before[-1]) + 1)


def test_all_mistakes_in_sections_and_options_are_reported_in_the_order_of_the_file() -> None:
    text = (
        GOOD.replace("hidden_size", "hiden_size").replace("16", "many").replace("greedy", "gredy")
    )
    found = problems_of(text.replace("name: bytes", "name: byts"))
    assert [problem.line for problem in found] == [5, 9, 12, 20]


def test_options_of_an_unknown_plugin_are_not_checked() -> None:
    text = with_change("name: lstm", "name: lsmt").replace("hidden_size", "hiden_size")
    assert len(problems_of(text)) == 1


def test_a_plugin_whose_validators_refuse_or_break_is_a_problem_of_the_recipe() -> None:
    text = with_change("name: lstm", "name: former").replace("dropout: 0.1", "heads: 7")
    (problem,) = problems_of(text)
    assert str(problem) == (
        "tiny.yaml:9:5: architecture.options: hidden_size 64 is not divisible by 7."
    )
    text = re.sub(r"  name: lstm\n.*\n.*\n.*\n", "  name: fragile\n  options: {size: 0}\n", GOOD)
    (problem,) = problems_of(text)
    assert "could not be checked (ZeroDivisionError" in problem.message
    (problem,) = problems_of(text.replace("size: 0", "size: 13"))
    assert problem.message == "architecture.options.size: another number than 13 is needed."


def test_a_union_of_types_names_them_all() -> None:
    (problem,) = problems_of(
        with_change("name: lstm", "name: former").replace("dropout: 0.1", "window: some")
    )
    assert problem.message == (
        "architecture.options.window is 'some', expected a whole number or 'all'."
    )


def test_a_recipe_that_is_not_a_mapping_is_refused() -> None:
    assert (
        str(problems_of("- a")[0])
        == "tiny.yaml:1:1: a recipe is a mapping of sections, found a list."
    )


# Plugin files


def test_plugin_files_are_relative_to_the_recipe_and_change_no_other_registry(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN_FILE)
    registry = small_registry()
    text = re.sub(r"  name: lstm\n.*\n.*\n.*\n", "  name: own\n  options: {width: 5}\n", GOOD)
    (tmp_path / "own.yaml").write_text("plugins: [./mine.py]\n" + text)
    recipe = load_recipe(tmp_path / "own.yaml", registry)
    assert recipe.architecture.options.width == 5
    assert recipe.registry.get("architecture", "own").summary == "mine"
    assert "own" not in registry.names("architecture")
    again = parse_recipe(recipe.to_yaml(), registry, source="again.yaml", base=tmp_path)
    assert again == recipe


def test_a_plugin_file_that_cannot_be_loaded_is_a_problem_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    text = "plugins:\n  - broken.py\n" + GOOD
    with pytest.raises(RecipeError) as caught:
        parse(text, base=tmp_path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 5)
    assert "needs the module 'nothing_of_that_name'" in problem.message


# Files


def test_a_path_that_is_not_a_recipe_file_is_a_usage_error_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text(GOOD)
    (tmp_path / "empty").mkdir()
    cases = {
        "quik.yaml": r"does not exist\. Did you mean 'quick\.yaml'\?",
        "quick": r"does not exist\. Did you mean 'quick\.yaml'\?",
        "empty": r"is a folder, expected a YAML file\. To train on it as text: ",
        ".": r"is a folder, expected a YAML file\. Choose from: quick\.yaml",
        "notes.txt": r"its name must end in \.yaml",
        "quick.yaml/x.yaml": "does not exist",
        "nul\0.yaml": "cannot be read",
        "x" * 300 + ".yaml": "cannot be read",
    }
    for name, words in cases.items():
        with pytest.raises(UsageError, match=words) as caught:
            load_recipe(tmp_path / name, small_registry())
        assert "\n" not in str(caught.value)
    assert load_recipe(tmp_path / "quick.yaml", small_registry()).base == tmp_path


# Dumping


def test_a_dumped_recipe_has_every_default_and_is_read_as_an_equal_one() -> None:
    recipe = parse(GOOD, "train.seed=7", "sample.prompt=no: '\"\\ é\n1e3")
    text = recipe.to_yaml()
    assert parse(text) == recipe
    assert parse(text).to_yaml() == text
    assert "log_every_steps: 20" in text
    assert "registry" not in text
    assert recipe != parse(GOOD, "train.seed=8", "sample.prompt=x")


@settings(max_examples=50)
@given(prompt=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_prompt_is_unchanged_after_dumping_and_reading(prompt: str) -> None:
    recipe = parse(GOOD, f"sample.prompt={prompt}")
    assert parse(recipe.to_yaml()) == recipe


# Imports, fingerprints and grids


def test_checking_a_recipe_never_imports_torch() -> None:
    code = (
        "import sys, seqzoo.recipes.load, seqzoo.recipes.schema, seqzoo.recipes.sections\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_plugin_of_these_tests_is_reachable() -> None:
    registry = small_registry()
    assert all(registry.get(spec.kind, spec.name) is spec for spec in SPECS)


@pytest.mark.parametrize(
    ("override", "is_same"),
    [
        ("train.seed=9", True),
        ("name=other", True),
        ("train.checkpoint.every_steps=3", True),
        ("runtime.threads=3", True),
        ("evaluate.lanes=4", True),
        ("corpus.options.path=elsewhere", True),
        ("sample.length=3", True),
        ("architecture.options.hidden_size=65", False),
        ("train.optimizer.momentum=0.9", False),
        ("train.budget.steps=999", False),
        ("runtime.precision=bfloat16", False),
        ("tokenizer.options={}", True),
        ("train.start_from=null", True),
        ("train.start_from=runs/other", False),
        ("train.average.ema={}", False),
    ],
)
def test_a_fingerprint_depends_on_what_decides_the_weights_except_the_seed(
    override: str, is_same: bool
) -> None:
    assert (parse(GOOD, override).fingerprint == parse(GOOD).fingerprint) == is_same


def test_a_new_field_changes_a_fingerprint_only_when_it_is_set() -> None:
    """The value is that of the version before `train.start_from`: old results keep their group."""
    assert parse(GOOD).fingerprint.startswith("e6e9a169df6d8d5a")


def test_a_fingerprint_does_not_depend_on_how_a_setting_is_written() -> None:
    plain = parse(GOOD, "train.bptt_length=32", "train.optimizer.name=adamw")
    staged = parse(
        GOOD,
        "train.bptt_length=[{from: 0, length: 32}]",
        "train.optimizer.name=adamw",
        "train.optimizer.momentum=0.5",
    )
    assert plain.fingerprint == staged.fingerprint


def test_a_grid_file_is_refused_with_the_command_that_runs_it() -> None:
    with pytest.raises(UsageError, match=r"seqzoo sweep tiny\.yaml"):
        parse("name: sizes\nrecipes: [a.yaml]\ngrid: {}\n")


def test_an_unknown_baseline_is_reported_together_with_a_wrong_option() -> None:
    text = GOOD.replace("hidden_size: 64", "hidden_size: no") + "baselines: {include: [gzib]}\n"
    messages = [problem.message for problem in problems_of(text)]
    assert sorted(part for part in ("gzib", "hidden_size") if part in " ".join(messages)) == [
        "gzib",
        "hidden_size",
    ]
