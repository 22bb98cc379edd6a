"""A written package is installed as it is: its tests, the linters and its recipe pass."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from commands import REPOSITORY
from fresh import Fresh, build_wheel, command

from seqzoo.templates.package import template_kinds

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    folder = tmp_path_factory.mktemp("fresh")
    environment = Fresh(folder / "environment")
    environment.install(build_wheel(REPOSITORY, folder / "wheel"), folder=folder)
    return environment


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The types of torch are read once and not for each package."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize("kind", template_kinds())
def test_a_written_package_works_as_it_is(
    kind: str, fresh: Fresh, mypy_cache: Path, tmp_path: Path
) -> None:
    fresh.seqzoo("new", "plugin", "my-own", "--kind", kind, folder=tmp_path)
    package = tmp_path / "seqzoo-my-own"
    fresh.install("-e", ".", folder=package)
    try:
        command(fresh.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=package)
        command(sys.executable, "-m", "ruff", "check", "--isolated", folder=package)
        command(sys.executable, "-m", "ruff", "format", "--check", "--isolated", folder=package)
        command(fresh.python, "-m", "mypy", "--strict", "--cache-dir", mypy_cache, folder=package)
        arguments = ["my_own.yaml"]
        if kind != "launcher":
            arguments += ["train.budget.steps=20"]
        if kind not in ("corpus", "launcher"):
            arguments += ["corpus.name=pastiche", "corpus.options.size_bytes=30000"]
        use = {"check": "doctor", "launcher": "sweep"}.get(kind, "run")
        fresh.seqzoo(use, *arguments, folder=package)
    finally:
        fresh.pip("uninstall", "-y", "seqzoo-my-own", folder=tmp_path)
