"""A wheel, a fresh environment, and somebody else's plugin beside it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from commands import REPOSITORY, SMALL
from fresh import Fresh, build_wheel

pytestmark = pytest.mark.slow

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "seqzoo-shout"
version = "7.1"
dependencies = ["seqzoo"]

[project.entry-points.seqzoo]
shout = "seqzoo_shout"
sulk = "seqzoo_sulk"

[tool.hatch.build.targets.wheel]
only-include = ["seqzoo_shout.py", "seqzoo_sulk.py"]
"""

SHOUT = """\
import seqzoo


def build(options, context):
    class Shout(seqzoo.Sampler):
        def __call__(self, logits, history):
            logits[:, ord("a") : ord("z") + 1] = -float("inf")
            return logits

    return Shout()


@seqzoo.hookimpl
def register_samplers():
    return [seqzoo.SamplerSpec(name="shout", summary="no small letters", build=build)]
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(REPOSITORY, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_both_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "seqzoo",
        "seqzoo_plugins",
    }
    for wanted in ("seqzoo/py.typed", "seqzoo_plugins/py.typed"):
        assert wanted in names
    templates = {
        f"seqzoo/{path.relative_to(REPOSITORY / 'seqzoo').as_posix()}"
        for path in (REPOSITORY / "seqzoo" / "templates" / "files").rglob("*.j2")
    }
    assert len(templates) > 20
    assert templates <= set(names)
    data = {path.name for path in (REPOSITORY / "plugins").rglob("*.txt")}
    assert data <= {name.rsplit("/", 1)[-1] for name in names}


def test_a_fresh_environment_runs_with_a_strangers_plugin(wheel: Path, tmp_path: Path) -> None:
    source = tmp_path / "shout"
    source.mkdir()
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "seqzoo_shout.py").write_text(SHOUT)
    (source / "seqzoo_sulk.py").write_text("import a_module_that_is_not_there\n")
    stranger = build_wheel(source, tmp_path / "dist")
    fresh = Fresh(tmp_path / "fresh")
    fresh.install(wheel, stranger, folder=tmp_path)

    listed = fresh.seqzoo("list", "--json", folder=tmp_path)
    (row,) = [row for row in json.loads(listed.stdout) if row["name"] == "shout"]
    assert (row["distribution"], row["version"]) == ("seqzoo-shout", "7.1")
    warning = " ".join(listed.stderr.split())
    assert "plugin 'sulk' (seqzoo-shout 7.1) could not be loaded: it needs the module" in warning

    recipes = json.loads(fresh.seqzoo("list", "recipe", "--json", folder=tmp_path).stdout)
    assert {row["name"] for row in recipes} == {
        path.stem for path in (REPOSITORY / "recipes").glob("*.yaml")
    }
    fresh.seqzoo("init", "quick", folder=tmp_path)
    assert "name: quick" in (tmp_path / "quick.yaml").read_text()

    (tmp_path / "small.yaml").write_text(SMALL)
    fresh.seqzoo("run", "small.yaml", folder=tmp_path)
    text = fresh.seqzoo(
        "sample", "runs/small", "-p", "X", "-s", "shout", "-n", "60", folder=tmp_path
    ).stdout
    assert not any(letter.islower() for letter in text)
