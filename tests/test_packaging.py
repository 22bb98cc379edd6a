"""A wheel, a fresh environment, and somebody else's plugin beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from commands import REPOSITORY, SMALL, environment

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


def build(options):
    class Shout(seqzoo.Sampler):
        def __call__(self, logits, history):
            logits[:, ord("a") : ord("z") + 1] = -float("inf")
            return logits

    return Shout()


@seqzoo.hookimpl
def register_samplers():
    return [seqzoo.SamplerSpec(name="shout", summary="no small letters", build=build)]
"""


def command(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env=environment(PYTHONPATH=""),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done


def build_wheel(source: Path, target: Path) -> Path:
    command(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", target, source,
        folder=source,
    )  # fmt: skip
    (wheel,) = target.glob("*.whl")
    return wheel


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
    data = {path.name for path in (REPOSITORY / "plugins").rglob("*.txt")}
    assert data <= {name.rsplit("/", 1)[-1] for name in names}


def test_a_fresh_environment_runs_with_a_strangers_plugin(wheel: Path, tmp_path: Path) -> None:
    source = tmp_path / "shout"
    source.mkdir()
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "seqzoo_shout.py").write_text(SHOUT)
    (source / "seqzoo_sulk.py").write_text("import a_module_that_is_not_there\n")
    stranger = build_wheel(source, tmp_path / "dist")
    # What seqzoo depends on is taken from this environment, so that no network is needed.
    venv.create(tmp_path / "fresh", with_pip=True)
    python = tmp_path / "fresh" / "bin" / "python"
    command(python, "-m", "pip", "install", "--no-deps", wheel, stranger, folder=tmp_path)
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site,) = (tmp_path / "fresh" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text("\n".join(here) + "\n")

    program = tmp_path / "fresh" / "bin" / "seqzoo"
    listed = command(program, "list", "--json", folder=tmp_path)
    (row,) = [row for row in json.loads(listed.stdout) if row["name"] == "shout"]
    assert (row["distribution"], row["version"]) == ("seqzoo-shout", "7.1")
    warning = " ".join(listed.stderr.split())
    assert "plugin 'sulk' (seqzoo-shout 7.1) could not be loaded: No module named" in warning

    recipes = json.loads(command(program, "list", "recipe", "--json", folder=tmp_path).stdout)
    assert {row["name"] for row in recipes} == {
        path.stem for path in (REPOSITORY / "recipes").glob("*.yaml")
    }
    command(program, "init", "quick", folder=tmp_path)
    assert "name: quick" in (tmp_path / "quick.yaml").read_text()

    (tmp_path / "small.yaml").write_text(SMALL)
    command(program, "run", "small.yaml", folder=tmp_path)
    text = command(
        program, "sample", "runs/small", "-p", "X", "-s", "shout", "-n", "60", folder=tmp_path
    ).stdout
    assert not any(letter.islower() for letter in text)
