"""Every kind of plugin has a template, and what is written from it works as it is."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqzoo.errors import UsageError
from seqzoo.plugin.declarations import PLUGIN_KINDS
from seqzoo.plugin.registry import Owner, Registry
from seqzoo.recipes.load import load_recipe
from seqzoo.sweep.grid import read_grid
from seqzoo.sweep.launching import chosen_launcher
from seqzoo.sweep.members import checked_recipes, members_of
from seqzoo.templates import package
from seqzoo.templates.names import MOST_LETTERS, PackageName
from seqzoo.templates.package import package_files, template_kinds, write_package
from seqzoo.testing import check

NAME = PackageName("mine")
LONG = PackageName("a" * MOST_LETTERS)


def module_of(written: Path) -> Path:
    (module,) = written.glob("src/*/__init__.py")
    return module


def test_every_kind_of_plugin_has_a_template() -> None:
    assert template_kinds() == PLUGIN_KINDS


@pytest.mark.parametrize("kind", template_kinds())
def test_a_new_plugin_follows_the_laws_of_its_kind(kind: str, tmp_path: Path) -> None:
    assert check(module_of(write_package(NAME, kind, tmp_path))) == []


@pytest.mark.parametrize("kind", [kind for kind in template_kinds() if kind != "launcher"])
def test_a_new_recipe_names_the_new_plugin_and_is_valid(
    kind: str, tmp_path: Path, registry: Registry
) -> None:
    written = write_package(NAME, kind, tmp_path)
    extended = registry.copy()
    extended.add_file(module_of(written))
    (entry,) = (
        each
        for each in extended.registered(kind)
        if each.owner == Owner("__init__.py", str(module_of(written)))
    )
    recipe = load_recipe(written / "mine.yaml", extended)
    assert recipe.name == "mine"
    is_named = kind not in ("baseline", "check")  # which every run and examination has
    if is_named:
        with pytest.raises(UsageError, match=entry.spec.name):
            load_recipe(written / "mine.yaml", registry)


def test_a_new_sweep_names_the_new_launcher_and_is_valid(
    tmp_path: Path, registry: Registry
) -> None:
    written = write_package(NAME, "launcher", tmp_path)
    extended = registry.copy()
    extended.add_file(module_of(written))
    grid = read_grid(written / "mine.yaml")
    (name,) = set(extended.names("launcher")) - set(registry.names("launcher"))
    assert chosen_launcher(grid, extended).name == name
    assert len(checked_recipes(members_of(grid), extended)) == 2


def test_an_entry_point_of_the_written_package_is_its_module() -> None:
    files = package_files(PackageName("my_cell"), "sampler")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["name"] == "seqzoo-my-cell"
    assert project["entry-points"]["seqzoo"] == {"my_cell": "seqzoo_my_cell"}
    assert "src/seqzoo_my_cell/__init__.py" in files


@pytest.mark.parametrize("name", [PackageName("a"), LONG], ids=["short", "long"])
def test_what_is_written_needs_no_formatting_however_long_the_name_is(
    name: PackageName, tmp_path: Path
) -> None:
    for kind in template_kinds():
        (tmp_path / kind).mkdir()
        write_package(name, kind, tmp_path / kind)
    for arguments in (["check"], ["format", "--check"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", "."],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("absent")])
def test_nothing_that_exists_is_replaced(make: Callable[[Path], Any], tmp_path: Path) -> None:
    make(tmp_path / "seqzoo-mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="already exists and was not changed"):
        write_package(NAME, "sampler", tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("failing", range(8))
def test_no_part_of_a_package_is_left_where_a_write_fails(
    failing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write(path: Path, text: str) -> None:
        if len(written) == failing:
            raise KeyboardInterrupt
        written.append(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    monkeypatch.setattr(package, "write_whole", write)
    if failing < len(package_files(NAME, "sampler")):
        with pytest.raises(KeyboardInterrupt):
            write_package(NAME, "sampler", tmp_path)
        assert list(tmp_path.iterdir()) == []
    else:
        write_package(NAME, "sampler", tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["seqzoo-mine"]


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        write_package(NAME, "sampler", tmp_path / "absent")
