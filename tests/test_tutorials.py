"""The pages for authors of plugins: what they show works, and what they say of it is so."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from commands import REPOSITORY, result_of, seqzoo

import seqzoo as public
from seqzoo.templates.names import PackageName
from seqzoo.templates.package import package_files, write_package
from seqzoo.testing import check

DOCS = REPOSITORY / "docs"
NAME = PackageName("average")
SMALL = (
    "train.budget.steps=20",
    "train.batch_size=4",
    "train.bptt_length=16",
    "architecture.options.hidden_size=8",
    "corpus.name=pastiche",
    "corpus.options.size_bytes=30000",
    "runtime.threads=1",
)


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


PLUGINS = [block for block in blocks("plugins.md", "python") if "@seqzoo.hookimpl" in block]


@pytest.mark.parametrize("number", range(len(PLUGINS)))
def test_every_plugin_of_the_reference_follows_the_laws(number: int, tmp_path: Path) -> None:
    (tmp_path / "shown.py").write_text(PLUGINS[number])
    assert check(tmp_path / "shown.py") == []


def patched(source: str, difference: str) -> str:
    """The source with the lines of one block of a page replaced; they must occur once."""
    lines = difference.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    assert source.count(before) == 1
    return source.replace(before, after)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The package of the tutorial, with the equations that it shows."""
    package = write_package(NAME, "architecture", tmp_path)
    module = package / "src" / "seqzoo_average" / "__init__.py"
    gate, equations, _ = blocks("tutorial_plugin.md", "diff")
    module.write_text(patched(patched(module.read_text(), gate), equations))
    return package


def test_the_equations_of_the_tutorial_follow_the_laws_and_the_mistake_does_not(
    written: Path,
) -> None:
    module = written / "src" / "seqzoo_average" / "__init__.py"
    assert check(module) == []
    *_, mistake = blocks("tutorial_plugin.md", "diff")
    module.write_text(patched(module.read_text(), mistake))
    (shown,) = blocks("tutorial_plugin.md", "text")
    (first, *_) = check(module)
    assert f"1. {first.declared} breaks {first.law}" == shown.strip()


def test_the_changed_package_of_the_tutorial_needs_no_formatting(written: Path) -> None:
    for arguments in (["check"], ["format", "--check"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", "."],
            cwd=written, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_runs_of_the_tutorial_are_compared(written: Path) -> None:
    recipe = written / "average.yaml"
    recipe.write_text(recipe.read_text() + "plugins: [src/seqzoo_average/__init__.py]\n")
    shown = "\n".join(blocks("tutorial_plugin.md", "sh"))
    for command in re.findall(
        r"^seqzoo ((?:run|leaderboard|compare) .*|leaderboard)$", shown, re.M
    ):
        # The tutorial installs the package; here the recipe names its module.
        small = (*SMALL, "--trust") if command.startswith("run") else ()
        done = seqzoo(*command.split(), *small, folder=written)
        assert done.returncode == 0, done.stderr
    assert result_of(written / "runs" / "average")["architecture"] == "average"
    assert result_of(written / "runs" / "lstm")["architecture"] == "lstm"


def test_the_files_of_the_package_are_those_that_the_tutorial_lists() -> None:
    text = (DOCS / "tutorial_plugin.md").read_text(encoding="utf-8")
    table = text.partition("| file |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"`(?:\./)?([\w./]+)`", table))
    files = package_files(NAME, "architecture")
    assert listed == {path if path.count("/") < 2 else _short(path) for path in files}


def _short(path: str) -> str:
    return Path(path).name if path.endswith("py.typed") else path


@pytest.fixture
def min_gru(tmp_path: Path) -> Path:
    path = tmp_path / "min_gru.py"
    path.write_text("\n\n".join(blocks("tutorial_mingru.md", "python")))
    return path


def test_min_gru_follows_the_laws_and_its_scan_is_the_recurrence(min_gru: Path) -> None:
    assert "step_by_step=" in min_gru.read_text()  # so one of the laws compares the two
    assert check(min_gru) == []


def test_a_min_gru_that_forgets_its_state_breaks_the_law_that_the_page_says(
    min_gru: Path,
) -> None:
    source = min_gru.read_text()
    carried = "    b = torch.cat([b[:, :1] + a[:, :1] * h[:, None], b[:, 1:]], dim=1)\n"
    assert source.count(carried) == 1
    min_gru.write_text(source.replace(carried, ""))
    (shown,) = blocks("tutorial_mingru.md", "text")
    (first, *_) = check(min_gru)
    assert f"{first.declared} breaks {first.law}" == shown.strip()


def test_the_recipe_of_min_gru_runs(min_gru: Path) -> None:
    (recipe,) = blocks("tutorial_mingru.md", "yaml")
    (min_gru.parent / "min_gru.yaml").write_text(recipe)
    shown = "\n".join(blocks("tutorial_mingru.md", "sh"))
    (command,) = re.findall(r"^seqzoo (run min_gru.*)$", shown, re.M)
    done = seqzoo(*command.split(), *SMALL, folder=min_gru.parent)
    assert done.returncode == 0, done.stderr
    assert result_of(min_gru.parent / "runs" / "min_gru")["architecture"] == "min_gru"


def test_what_is_published_is_what_is_written() -> None:
    files = package_files(NAME, "architecture")
    (project,) = blocks("publishing.md", "toml")
    shown, actual = tomllib.loads(project), tomllib.loads(files["pyproject.toml"])
    for key, value in shown["project"].items():
        assert actual["project"][key] == value
    (test,) = blocks("publishing.md", "python")
    assert files["tests/test_laws.py"] == test
    (workflow,) = blocks("publishing.md", "yaml")
    assert yaml.safe_load(workflow)["jobs"]


def test_every_provisional_name_exists() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        from plugin_api import PROVISIONAL
    finally:
        sys.path.remove(str(DOCS))
    for name in PROVISIONAL:
        owner, _, field = name.partition(".")
        assert owner in public.__all__, name
        if field:
            assert field in {each.name for each in dataclasses.fields(getattr(public, owner))}
