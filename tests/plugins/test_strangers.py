"""Somebody else's package, with one plugin of every kind: installed, used, and removed again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import REPOSITORY
from fresh import Fresh, build_wheel

from seqzoo.plugin.declarations import PLUGIN_KINDS
from seqzoo.templates.names import PackageName
from seqzoo.templates.package import package_files, template_kinds

pytestmark = pytest.mark.slow

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "seqzoo-odd"
version = "7.1"
dependencies = ["seqzoo"]

[project.entry-points.seqzoo]
odd = "seqzoo_odd"
"""

RECIPE = """\
name: everything
corpus: {name: odd, options: {size_bytes: 30000}}
tokenizer: {name: odd, options: {num_pairs: 16}}
architecture: {name: odd, options: {hidden_size: 16}}
train:
  stream: {name: odd}
  batch_size: 8
  bptt_length: 16
  optimizer: {name: odd, learning_rate: 3e-3}
  schedule: {decay: odd}
  budget: {steps: 40}
sample: {prompt: "a", length: 20, decoder: {name: odd, options: {num_texts: 2}}}
trackers: [{name: odd}]
runtime: {threads: 1, device: cpu}
"""


@dataclass
class Used:
    """What was seen before, while and after the package was installed."""

    before: str
    listed: str
    plugins: str
    checked: str
    ran: str
    sampled: str
    examined: str
    run: Path
    tracked: str
    after: str
    scored_after: tuple[int, str]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Used:
    folder = tmp_path_factory.mktemp("stranger")
    source = folder / "odd" / "src" / "seqzoo_odd"
    source.mkdir(parents=True)
    (folder / "odd" / "pyproject.toml").write_text(PYPROJECT)
    name = PackageName("odd")
    hooks = []
    for kind in template_kinds():
        files = package_files(name, kind)
        (source / f"{kind}.py").write_text(files["src/seqzoo_odd/__init__.py"])
        (hook,) = (
            line.split()[1].partition("(")[0]
            for line in files["src/seqzoo_odd/__init__.py"].splitlines()
            if line.startswith("def register_")
        )
        hooks.append(f"from seqzoo_odd.{kind} import {hook} as {hook}\n")
    (source / "__init__.py").write_text("".join(hooks))
    (folder / "everything.yaml").write_text(RECIPE)

    fresh = Fresh(folder / "environment")
    fresh.install(build_wheel(REPOSITORY, folder / "host"), folder=folder)
    before = fresh.seqzoo("list", "--json", folder=folder).stdout
    fresh.install(build_wheel(folder / "odd", folder / "guest"), folder=folder)
    listed = fresh.seqzoo("list", "--json", folder=folder).stdout
    plugins = fresh.seqzoo("plugins", "--json", folder=folder).stdout
    checked = fresh.seqzoo("check", "seqzoo-odd", "--json", folder=folder).stdout
    ran = fresh.seqzoo("run", "everything.yaml", "--json", folder=folder)
    run = folder / "runs" / "everything"
    sampled = fresh.seqzoo(
        "sample", run, "--odd", "0.5", "-p", "a", "-n", "20", folder=folder
    ).stdout
    examined = fresh.seqzoo(
        "doctor", "everything.yaml", "--only", "text.odd", "--json", folder=folder
    ).stdout
    fresh.pip("uninstall", "-y", "seqzoo-odd", folder=folder)
    after = fresh.seqzoo("list", "--json", folder=folder).stdout
    scored = fresh.seqzoo("eval", run, folder=folder, fails=True)
    return Used(
        before,
        listed,
        plugins,
        checked,
        ran.stdout + ran.stderr,
        sampled,
        examined,
        run,
        (run / "odd.jsonl").read_text(),
        after,
        (scored.returncode, scored.stderr),
    )


def test_one_of_every_kind_is_listed_with_its_package(used: Used) -> None:
    rows = [row for row in json.loads(used.listed) if row["distribution"] == "seqzoo-odd"]
    assert [row["kind"] for row in rows] == [*PLUGIN_KINDS]
    assert {row["version"] for row in rows} == {"7.1"}
    assert "seqzoo-odd" in used.plugins


def test_all_laws_hold(used: Used) -> None:
    report = json.loads(used.checked)
    assert report["healthy"]
    assert {law["law"].partition(".")[0] for law in report["laws"]} >= {*PLUGIN_KINDS}


def test_a_recipe_that_names_them_runs(used: Used) -> None:
    result = json.loads((used.run / "result.json").read_text())
    assert result["architecture"] == "odd"
    assert "odd" in [rung["name"] for rung in result["rungs"]]
    least_bits = 1.0  # the entropy of the walk
    assert least_bits < result["scores"]["test"]["bits_per_byte"] < 8
    steps = [json.loads(line)["step"] for line in used.tracked.splitlines()]
    assert steps[-1] == 40
    assert "error" not in used.ran
    assert used.sampled.strip("\n")


def test_the_check_is_a_line_of_the_doctor(used: Used) -> None:
    (line,) = json.loads(used.examined)["checks"]
    assert line["status"] == "pass"
    assert line["seen"].endswith("do not occur in training")


def test_nothing_is_left_when_it_is_removed(used: Used) -> None:
    assert json.loads(used.after) == json.loads(used.before)


def test_an_old_run_is_then_answered_with_one_sentence(used: Used) -> None:
    code, said = used.scored_after
    assert code == 2
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert errors
    assert "is not installed" in errors[0]
    assert "Traceback" not in said
