"""Commands in a recipe run only if the user trusts them, as plugin files do."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import seqzoo
from seqzoo.plugin.registry import load_registry
from seqzoo.plugin.trust import Trust, Unknown, UntrustedError, record_path, refuse
from seqzoo.recipes.load import load_recipe

PROGRAM = "import pathlib, sys; pathlib.Path(sys.argv[2]).touch(); print(open(sys.argv[1]).read())"


class Folder:
    """A recipe that adds a program, which leaves a canary where it runs."""

    def __init__(self, path: Path) -> None:
        self.recipe, self.canary = path / "r.yaml", path / "canary"
        self.command = [sys.executable, "-I", "-c", PROGRAM, "{input}", str(self.canary)]
        self.write(self.command)

    def data(self, *commands: Any) -> dict[str, Any]:
        added = [
            {"name": "external", "label": f"c{number}", "options": {"compress": command}}
            for number, command in enumerate(commands)
        ]
        return {
            "name": "small",
            "corpus": {"name": "pastiche", "options": {"size_bytes": 30000}},
            "tokenizer": {"name": "bytes"},
            "architecture": {"name": "lstm", "options": {"hidden_size": 8}},
            "train": {"batch_size": 4, "bptt_length": 8, "budget": {"steps": 2}},
            "sample": {"length": 4},
            "baselines": {"include": [], "add": added},
            "runtime": {"threads": 1, "device": "cpu"},
        }

    def write(self, *commands: Any) -> None:
        self.recipe.write_text(json.dumps(self.data(*commands)))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def recorded() -> list[str]:
    path = record_path()
    assert path is not None
    return list(json.loads(path.read_text())["files"]) if path.exists() else []


def test_a_command_of_a_recipe_does_not_run_unless_the_user_trusts_it(
    folder: Folder, tmp_path: Path
) -> None:
    for use in (seqzoo.recipe, seqzoo.run):
        with pytest.raises(UntrustedError) as caught:
            use(folder.recipe)
        (problem,) = caught.value.problems
        assert (problem.source, problem.line) == (str(folder.recipe), 1)
        assert str(folder.canary) in problem.message
        assert "is a command that would run with your rights" in problem.message
        assert problem.message.endswith("pass trust=True.")
        assert caught.value.exit_code == 2
    assert not recorded()
    seqzoo.run(folder.recipe, root=tmp_path / "runs", trust=True)
    assert folder.canary.exists()
    assert len(recorded()) == 1
    seqzoo.recipe(folder.recipe)


def test_a_run_of_the_users_own_mapping_opens_without_a_question(
    folder: Folder, tmp_path: Path
) -> None:
    run = seqzoo.run(folder.data(folder.command), root=tmp_path / "runs")
    assert folder.canary.exists()
    names = {rung["name"] for rung in json.loads((run.path / "result.json").read_text())["rungs"]}
    assert "primed c0" in names
    seqzoo.open_run(run.path).generate(length=2)


def test_every_other_command_is_asked_for(folder: Folder) -> None:
    seqzoo.recipe(folder.recipe, trust=True)
    others = [[*folder.command, "-9"], folder.command[:-1], "c '{input} -9'", "c {input} -9"]
    folder.write(folder.command, *others)
    with pytest.raises(UntrustedError) as caught:
        seqzoo.recipe(folder.recipe)
    assert len(caught.value.unknown) == len(others)
    assert str(caught.value).count(str(folder.canary)) == 1
    assert "are commands that would run" in str(caught.value)
    folder.write(others[3])
    seqzoo.recipe(folder.recipe, trust=True)
    folder.write("c '{input}' -9")  # the same words
    seqzoo.recipe(folder.recipe)


def test_what_the_user_types_is_trusted_and_what_the_file_adds_is_not(folder: Folder) -> None:
    typed = "baselines.add=" + json.dumps(folder.data("c {input}")["baselines"]["add"])
    seqzoo.recipe(folder.recipe, [typed])
    assert recorded() == ["command: c '{input}'"]
    with pytest.raises(UntrustedError):
        seqzoo.recipe(folder.recipe, ["sample.length=3"])


def test_settings_of_a_file_do_not_count_as_typed(folder: Folder) -> None:
    typed = "baselines.add=" + json.dumps(folder.data("c {input}")["baselines"]["add"])
    registry = load_registry().trusting(replace(Trust(refuse), is_named=False))
    with pytest.raises(UntrustedError):
        load_recipe(folder.recipe, registry, overrides=[typed])


def test_files_are_asked_for_before_commands_and_mistakes_come_first(
    folder: Folder, tmp_path: Path
) -> None:
    asked: list[list[str]] = []

    def answer(unknown: Sequence[Unknown]) -> bool:
        asked.append([each.code.noun for each in unknown])
        return True

    (tmp_path / "p.py").write_text(
        "import seqzoo\n@seqzoo.hookimpl\ndef register_schedules():\n    return []\n"
    )
    data = folder.data(folder.command) | {"plugins": ["p.py"]}
    registry = load_registry().trusting(Trust(answer))
    folder.recipe.write_text(json.dumps(data | {"architecture": {"name": "no"}}))
    with pytest.raises(seqzoo.UsageError, match="'no' is not installed"):
        load_recipe(folder.recipe, registry)
    assert asked == [["Python code"]]
    folder.recipe.write_text(json.dumps(data))
    load_recipe(folder.recipe, registry)
    assert asked == [["Python code"], ["a command"]]


def test_a_command_cannot_hide_what_it_is(folder: Folder) -> None:
    folder.write(["c", "\x1b[2J\r{input}", "a b"])
    with pytest.raises(UntrustedError) as caught:
        seqzoo.recipe(folder.recipe)
    assert str(caught.value).isprintable()
    assert "'a b'" in str(caught.value)
