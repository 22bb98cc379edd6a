"""Whether there is a plugin that no entry point names.

Method: next to every package that an entry point names, modules and packages whose source uses
seqzoo's `hookimpl` and that no entry point names. They are read, never imported. Cost: some file
reads. Pass rule: there are none. A folder that was added after the last `pip install` is such a
case, because entry points are written at installation.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.hooks import ENTRY_POINT_GROUP

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    named = {entry.value.partition(":")[0] for entry in _entry_points()}
    parents = {module.rpartition(".")[0] for module in named if "." in module}
    nameless = sorted(
        module
        for parent in parents
        for module in _plugins_in(parent)
        if not any(known == module or known.startswith(f"{module}.") for known in named)
    )
    if nameless:
        return Outcome.warned(
            f"no entry point names {', '.join(nameless)}",
            why="They look like plugins, but seqzoo finds plugins only by their entry points.",
            remedy=f"Name each under [project.entry-points.{ENTRY_POINT_GROUP}] in pyproject.toml, "
            f"and run pip install again: entry points are written at installation.",
            numbers={"nameless": len(nameless)},
        )
    return Outcome.passed(f"{len(named)} entry points, and no plugin next to them without one")


def _entry_points() -> Iterator[metadata.EntryPoint]:
    for distribution in metadata.distributions():
        try:
            yield from distribution.entry_points.select(group=ENTRY_POINT_GROUP)
        except Exception:
            continue


def _plugins_in(package: str) -> Iterator[str]:
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("*")):
            source = path / "__init__.py" if path.is_dir() else path
            if source.suffix == ".py" and source.is_file() and not path.name.startswith("_"):
                text = source.read_text(encoding="utf-8", errors="replace")
                if "hookimpl" in text and "seqzoo" in text:
                    yield f"{package}.{path.stem}"
