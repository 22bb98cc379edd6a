"""Finds and imports plugins: the entry points of installed packages, and plugin files."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType

from seqzoo.errors import PluginError
from seqzoo.plugin.hooks import ENTRY_POINT_GROUP

PLUGIN_FILE_PREFIX = "seqzoo_plugin_file_"
"""Begins the module name of an imported plugin file."""

__all__ = [
    "PLUGIN_FILE_PREFIX",
    "Broken",
    "Owner",
    "cause_of",
    "find_entry_points",
    "import_file",
    "loading",
    "owner_of",
]


@dataclass(frozen=True)
class Owner:
    """Who declared something: a plugin, and the distribution and version that it came with."""

    plugin: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        package = f"{self.distribution} {self.version}".strip()
        return f"'{self.plugin}' ({package})" if package else f"'{self.plugin}'"


@dataclass(frozen=True)
class Broken:
    """A plugin that could not be used, and why.

    can_be_disabled: whether SEQZOO_DISABLE has an effect; it has none on a damaged package.
    """

    owner: Owner
    cause: str
    can_be_disabled: bool = True

    def __str__(self) -> str:
        or_disable = (
            f", or set SEQZOO_DISABLE={self.owner.plugin} to disable it"
            if self.can_be_disabled
            else ""
        )
        return (
            f"plugin {self.owner} could not be loaded: {self.cause}. Fix or uninstall "
            f"it{or_disable}."
        )


def find_entry_points() -> tuple[list[metadata.EntryPoint], list[Broken]]:
    """The entry points of every distribution, and the distributions whose table is damaged.

    Sorted, so that messages do not depend on the order of the file system.
    """
    # One distribution at a time: `metadata.entry_points()` raises where a single table cannot be
    # read, even one that has nothing to do with seqzoo.
    broken: list[Broken] = []
    found: dict[str, list[metadata.EntryPoint]] = {}
    for distribution in metadata.distributions():
        name = distribution.name or str(getattr(distribution, "_path", distribution))
        if name in found:
            continue  # an earlier folder on sys.path has the same distribution
        try:
            table = distribution.entry_points.select(group=ENTRY_POINT_GROUP)
            found[name] = list(table)
        except Exception as error:
            owner = Owner("entry_points.txt", name, distribution.version or "")
            broken.append(Broken(owner, cause_of(error), can_be_disabled=False))
    entry_points = [entry_point for table in found.values() for entry_point in table]
    return sorted(entry_points, key=lambda found: (found.name, found.value)), broken


def owner_of(entry_point: metadata.EntryPoint) -> Owner:
    """The plugin of an entry point, with its distribution and version where they are known."""
    distribution = entry_point.dist
    if distribution is None:
        return Owner(entry_point.name)
    # Either is None where the distribution's METADATA is gone.
    return Owner(entry_point.name, distribution.name or "", distribution.version or "")


def import_file(path: Path) -> ModuleType:
    """Import a plugin file. Raises PluginError where it is no Python file, and what it raises."""
    name = PLUGIN_FILE_PREFIX + path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise PluginError("no such Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look their module up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While a plugin is loaded: send what it prints to stderr, because stdout is for results.

    Its warnings are not shown.
    """
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def cause_of(error: BaseException) -> str:
    """The error in one line, with its type where the message alone does not say enough."""
    message = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, PluginError):
        return message
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}) while loading"
    if isinstance(error, ImportError) and message:
        return message
    if isinstance(error, SyntaxError):
        return f"syntax error in {error.filename}, line {error.lineno}: {error.msg}"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
