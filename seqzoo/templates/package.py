"""A package with a plugin of one kind: its files, made from templates, and how they are written."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from seqzoo.errors import UsageError
from seqzoo.plugin.declarations import PLUGIN_KINDS
from seqzoo.storage import write_whole
from seqzoo.templates.names import PackageName

__all__ = ["package_files", "template_kinds", "use_of", "write_package"]

_FILES = Path(__file__).parent / "files"


def template_kinds() -> tuple[str, ...]:
    """The kinds of plugins that there is a template for, in the order of lists."""
    return tuple(kind for kind in PLUGIN_KINDS if (_FILES / "kinds" / kind).is_dir())


def use_of(name: PackageName, kind: str) -> str:
    """The command that uses the new plugin, from the folder of the package."""
    command = {"check": "doctor", "launcher": "sweep"}.get(kind, "run")
    return f"seqzoo {command} {name.plugin}.yaml"


def package_files(name: PackageName, kind: str) -> Mapping[str, str]:
    """The text of every file of the package, by its path in the package's folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(_FILES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    values = {
        "name": name.plugin,
        "distribution": name.distribution,
        "module": name.module,
        "kind": kind,
        "use": use_of(name, kind),
    }
    sources = {
        "pyproject.toml": "pyproject.toml.j2",
        "README.md": "README.md.j2",
        ".gitignore": "gitignore.j2",
        f"{name.plugin}.yaml": f"kinds/{kind}/recipe.yaml.j2",
        f"src/{name.module}/__init__.py": f"kinds/{kind}/module.py.j2",
        "tests/test_laws.py": "test_laws.py.j2",
    }
    texts = {path: templates.get_template(file).render(values) for path, file in sources.items()}
    return texts | {f"src/{name.module}/py.typed": ""}


def write_package(name: PackageName, kind: str, folder: Path) -> Path:
    """Write the package into a new folder inside `folder`, completely or not at all.

    Raises UsageError if the new folder exists already, or `folder` does not; OSError.
    """
    target = folder / name.distribution
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; make it first.")
    if os.path.lexists(target):
        raise UsageError(
            f"{target} already exists and was not changed; choose another name or another --folder."
        )
    unfinished = folder / f".{name.distribution}.{uuid.uuid4().hex}.tmp"
    try:
        for path, text in package_files(name, kind).items():
            write_whole(unfinished / path, text)
        unfinished.rename(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return target
