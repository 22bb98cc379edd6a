"""What the documentation shows is what happens: its code is run, its tables are compared."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import REPOSITORY, SMALL, environment, seqzoo

from seqzoo import CorpusContext
from seqzoo.plugin import hooks as hookspecs
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.roles import fault_in_roles
from seqzoo.recipes.load import load_recipe
from seqzoo.runs.changed_recipe import MAY_CHANGE
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.status import RunState
from seqzoo.sweep.grid import GridSections, read_grid
from seqzoo.sweep.members import checked_recipes, members_of
from seqzoo.testing import laws

DOCS = REPOSITORY / "docs"
SWEEPS = REPOSITORY / "recipes" / "sweeps"
RECIPES = [
    path
    for path in sorted((REPOSITORY / "recipes").rglob("*.yaml"))
    if not path.is_relative_to(SWEEPS)
]


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_tutorials_plugin_runs_from_its_recipe(tmp_path: Path) -> None:
    plugin, _, _, _, stream, sampler, _, tracker, _, _ = blocks("plugins.md", "python")
    (recipe,) = blocks("plugins.md", "yaml")
    (tmp_path / "my_cell.py").write_text(plugin)
    (tmp_path / "passages.py").write_text(stream)
    (tmp_path / "quiet.py").write_text(sampler)
    (tmp_path / "diary.py").write_text(tracker)
    files = "[./my_cell.py, ./passages.py, ./quiet.py, ./diary.py]"
    recipe = recipe.replace("[./my_cell.py]", files)
    recipe = recipe.replace("train:\n", "train:\n  stream: {name: passages}\n")
    recipe = recipe.replace("[{temperature: 0.8}]", "[{quiet: 2.0}, {quiet: {amount: 99.0}}]")
    (tmp_path / "average.yaml").write_text(recipe)
    done = seqzoo(
        "run",
        "average.yaml",
        "--trust",
        "train.budget.steps=60",
        "corpus.name=pastiche",
        "corpus.options.size_bytes=30000",
        "runtime.threads=1",
        "trackers=[{name: diary}]",
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    diary = (tmp_path / "runs" / "average" / "diary.txt").read_text().splitlines()
    assert "left out" not in done.stderr
    assert diary[-1].startswith("step 60 finished: ")
    assert sum("bits per byte" in line and "finished" not in line for line in diary) == 60 // 20
    result = json.loads((tmp_path / "runs" / "average" / "result.json").read_text())
    assert result["architecture"] == "average"
    uniform = 8.0
    assert result["scores"]["test"]["bits_per_byte"] < uniform - 2
    sampled = seqzoo("sample", "runs/average", "-n", "200", "-p", "x", folder=tmp_path)
    assert sampled.returncode == 0, sampled.stderr
    assert not any(letter.isupper() for letter in sampled.stdout)


def test_the_tutorials_optimizer_schedule_and_inner_architecture_run_from_a_recipe(
    tmp_path: Path,
) -> None:
    _, roles, wrapper, *_, optimizer = blocks("plugins.md", "python")
    namespace: dict[str, Any] = {}
    exec(roles, namespace)
    decays = type("Decays", (namespace["Decays"],), {"initial_state": None, "forward": None})()
    assert fault_in_roles(decays, decays.parameter_roles()) == ""
    (tmp_path / "sharpened.py").write_text(wrapper)
    (tmp_path / "radam.py").write_text(optimizer)
    (tmp_path / "small.yaml").write_text(SMALL + "plugins: [sharpened.py, radam.py]\n")
    done = seqzoo(
        "run",
        "--trust",
        "small.yaml",
        "architecture={name: sharpened, options: {inner: gru}}",
        "architecture.options.inner.options.hidden_size=12",
        "train.optimizer={name: radam, epsilon: 1e-6}",
        "train.schedule={warmup_steps: 5, decay: steps, parts: 2}",
        "train.budget.steps=20",
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    stored = yaml.safe_load((tmp_path / "runs" / "small" / "recipe.yaml").read_text())
    assert stored["architecture"]["options"]["inner"]["options"]["hidden_size"] == 12
    assert stored["train"]["optimizer"] == {
        "name": "radam",
        "learning_rate": 0.01,  # of the file
        "weight_decay": 0.01,
        "epsilon": 1e-6,
    }
    assert stored["train"]["schedule"] == {"warmup_steps": 5, "decay": "steps", "parts": 2}


def test_the_page_about_runs_lists_every_file_and_every_setting_that_can_change() -> None:
    text = (DOCS / "runs.md").read_text(encoding="utf-8")
    files = text.partition("## Continue")[0]
    attributes = vars(RunDirectory(Path("run"))).values()
    names = {path.name for path in attributes if isinstance(path, Path)} - {"run"}
    assert set(re.findall(r"^\| `(\S+)` \|", files, re.MULTILINE)) == names
    settings = text.partition("<!-- may change -->")[2].partition("<!-- end")[0]
    assert tuple(re.findall(r"`(\S+)`", settings)) == MAY_CHANGE
    states = text.partition("| state |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([\w ]+)` \|", states, re.MULTILINE) == [*RunState]


def test_every_hook_is_documented_with_its_arguments() -> None:
    text = (DOCS / "plugins.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(register_\w+)\(\)`", text, flags=re.MULTILINE))
    hooks = {name for name in vars(hookspecs) if name.startswith("register_")}
    assert documented == hooks
    for name in hooks:
        assert not inspect.signature(getattr(hookspecs, name)).parameters


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_are_valid_and_say_where_their_schema_is(
    path: Path, registry: Registry
) -> None:
    recipe = load_recipe(path, registry)
    assert recipe.name == path.stem
    modeline = path.read_text(encoding="utf-8").splitlines()[0]
    schema = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", modeline)
    assert schema
    assert (path.parent / schema[1]).is_file()


def test_the_commands_of_other_compressors_can_be_added_to_a_recipe(
    tmp_path: Path, registry: Registry
) -> None:
    (added,) = blocks("scoring.md", "yaml")
    path = tmp_path / "small.yaml"
    path.write_text(SMALL + added)
    read = load_recipe(path, registry.trusting())
    assert [each.called for each in read.baselines.add] == ["paq8px", "cmix", "zpaq"]


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_sweeps_are_valid(path: Path, registry: Registry) -> None:
    grid = read_grid(path)
    assert grid.sections.name == path.stem
    assert checked_recipes(members_of(grid), registry)


def test_the_sweeps_of_the_documentation_make_the_members_shown(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "recipes")
    sizes, regularised, found, asha, *launchers = blocks("sweeps.md", "yaml")
    (shown,) = blocks("sweeps.md", "text")
    (tmp_path / "sizes.yaml").write_text(sizes)
    (tmp_path / "regularised.yaml").write_text(regularised)
    listed = seqzoo("sweep", "sizes.yaml", "--dry-run", folder=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.startswith(shown)
    assert listed.stdout.count("(new)") == 8
    listed = seqzoo("sweep", "regularised.yaml", "--dry-run", folder=tmp_path)
    assert listed.stdout.count("(new)") == 3
    for launcher in launchers:
        (tmp_path / "found.yaml").write_text(found + asha + launcher)
        listed = seqzoo("sweep", "found.yaml", "--dry-run", folder=tmp_path)
        assert listed.stdout.count("(new)") == 60, listed.stderr


def test_the_launcher_of_the_documentation_keeps_the_laws(tmp_path: Path) -> None:
    *_, launcher, _ = blocks("plugins.md", "python")
    (tmp_path / "counting.py").write_text(launcher)
    tried = [law.examine() for law in laws(tmp_path / "counting.py")]
    assert len(tried) > 10
    assert [each.finding for each in tried if each.finding] == []


def test_ten_lines_examine_ones_own_code(tmp_path: Path, registry: Registry) -> None:
    mine, script, _, _ = blocks("doctor.md", "python")
    assert len([line for line in script.splitlines() if line]) <= 10
    (tmp_path / "mine.py").write_text(mine)
    (tmp_path / "script.py").write_text(
        script.replace("forward=forward", "forward=forward, quick=True")
    )
    spec = registry.get("corpus", "pastiche")
    text = spec.open(
        spec.options.model_validate({"size_bytes": 200_000}), CorpusContext(base=tmp_path)
    )
    (tmp_path / "input.txt").write_bytes(text.data.tobytes())
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True,
        env=environment(OMP_NUM_THREADS="1"), timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"^1\. stream\.aliasing", ran.stdout, re.MULTILINE)
    assert "fix first: stream.aliasing, memory.horizon." in " ".join(ran.stdout.split())


def test_the_loop_of_the_documentation_gets_the_report_that_it_says(
    tmp_path: Path, registry: Registry
) -> None:
    *_, loop, _ = blocks("doctor.md", "python")
    (tmp_path / "script.py").write_text(loop)
    spec = registry.get("corpus", "pastiche")
    text = spec.open(
        spec.options.model_validate({"size_bytes": 200_000}), CorpusContext(base=tmp_path)
    )
    (tmp_path / "input.txt").write_bytes(text.data.tobytes())
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True,
        env=environment(OMP_NUM_THREADS="1"), timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    last = " ".join(ran.stdout.split()).partition("fix first: ")[2]
    assert last == "loop.loss, loop.gradients."


def test_the_check_of_the_documentation_is_a_line_of_the_report(tmp_path: Path) -> None:
    *_, plugin = blocks("doctor.md", "python")
    (tmp_path / "vocabulary.py").write_text(plugin)
    (tmp_path / "small.yaml").write_text(SMALL + "plugins: [./vocabulary.py]\n")
    done = seqzoo(
        "doctor", "small.yaml", "--trust", "--only", "stream.vocabulary", "--json", folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (line,) = json.loads(done.stdout)["checks"]
    assert line["status"] == "pass"
    assert re.fullmatch(r"\d+ of 256 tokens occur", line["seen"])


@pytest.mark.parametrize(
    ("indent", "accuracy", "after_blank"), [(0, "27.0", "t"), (2, "29.8", " ")]
)
def test_the_answers_order_1_table_is_right_as_often_as_it_says(
    tinyshakespeare: Path, indent: int, accuracy: str, after_blank: str
) -> None:
    lines = tinyshakespeare.read_bytes().split(b"\n")
    text = (b"\n" + b" " * indent).join(lines)
    cut = len(text) * 9 // 10
    follows: dict[int, Counter[int]] = defaultdict(Counter)
    for now, after in pairwise(text[:cut]):
        follows[now][after] += 1
    guess = {now: counts.most_common(1)[0][0] for now, counts in follows.items()}
    hits = [guess.get(now) == after for now, after in pairwise(text[cut:])]
    assert f"{100 * sum(hits) / len(hits):.1f}" == accuracy
    assert chr(guess[ord(" ")]) == after_blank
    assert f"{accuracy} %" in (DOCS / "answer.md").read_text(encoding="utf-8")


def test_every_key_of_a_grid_file_is_documented() -> None:
    text = (DOCS / "sweeps.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))
    assert documented == set(GridSections.model_fields)


def test_there_are_recipes() -> None:
    assert {"quick", "shakespeare_lstm"} <= {path.stem for path in RECIPES}


def generate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), *map(str, arguments)],
        cwd=REPOSITORY, capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip


def test_what_is_generated_in_docs_is_current() -> None:
    checked = generate("--check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_check_of_generated_files_names_each_that_differs_and_repairs_them(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "docs"
    shutil.copytree(DOCS, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    page, schema = copy / "doctor.md", copy / "recipe.schema.json"
    current = page.read_text(encoding="utf-8")
    page.write_text(current.replace("| `stream.aliasing` |", "| `stream.alias` |"))
    schema.unlink()
    checked = generate("--check", "--docs", copy)
    assert checked.returncode == 1, checked.stderr
    assert [line.split(" is out of date")[0] for line in checked.stdout.splitlines()] == [
        str(schema),
        str(page),
    ]
    assert not schema.exists()
    assert generate("--docs", copy).returncode == 0
    assert page.read_text(encoding="utf-8") == current
    assert schema.read_bytes() == (DOCS / "recipe.schema.json").read_bytes()


PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_source_paths_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:docs|plugins|recipes|seqzoo|tests)/[\w./]+)`", text))
    assert {path for path in named if not (REPOSITORY / path).exists()} == set()


def test_every_command_of_the_readme_exists(tmp_path: Path) -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    from seqzoo.cli import app

    known = {command.name for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    shown = set(re.findall(r"^seqzoo ([a-z]+)", readme, flags=re.MULTILINE))
    assert shown
    assert shown <= known


def test_every_path_and_session_of_contributing_exists() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:\.ci|docs|plugins|recipes|seqzoo|tests)/[\w./]*)`", text))
    fixed = {path for path in paths if not re.search(r"[A-Z]{4}", path)}
    assert len(fixed) > 15
    assert {path for path in fixed if not (REPOSITORY / path).exists()} == set()
    defined = set(re.findall(r"^def (\w+)", (REPOSITORY / "noxfile.py").read_text(), re.MULTILINE))
    assert set(re.findall(r"nox -s (\w+)", text)) == defined
