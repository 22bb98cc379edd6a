"""Finds and imports plugins: the entry points of installed packages, and plugin files."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from dataclasses import dataclass
from functools import reduce
from importlib import metadata
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from seqzoo.errors import PluginError
from seqzoo.plugin.causes import cause_of
from seqzoo.plugin.hooks import ENTRY_POINT_GROUP
from seqzoo.plugin.trust import PluginFile
from seqzoo.terminal.format import quoted

__all__ = [
    "PLUGIN_FILE_PREFIX",
    "Broken",
    "Candidate",
    "Clash",
    "Owner",
    "find_plugins",
    "import_file",
    "import_plugin",
]

PLUGIN_FILE_PREFIX = "seqzoo_plugin_file_"
"""Begins the module name of an imported plugin file."""

_HOST = __name__.partition(".")[0]
"""The distribution that seqzoo itself is; its plugins are the built-in ones."""


@dataclass(frozen=True)
class Owner:
    """Who declared something: a plugin, and the distribution and version that it came with."""

    plugin: str
    distribution: str = ""
    version: str = ""

    @property
    def is_built_in(self) -> bool:
        """Whether the plugin comes with seqzoo itself."""
        return self.distribution == _HOST

    @property
    def package(self) -> str:
        """Distribution and version, as far as they are known."""
        return f"{self.distribution} {self.version}".strip()

    def __str__(self) -> str:
        return f"'{self.plugin}' ({self.package})" if self.package else f"'{self.plugin}'"


@dataclass(frozen=True)
class Broken:
    """A plugin that could not be used, and why.

    command: what probably helps, for a shell, or "".
    disable: a value of SEQZOO_DISABLE that leaves this plugin out; "" where none does.
    """

    owner: Owner
    cause: str
    command: str = ""
    disable: str = ""

    def __str__(self) -> str:
        end = "" if self.cause.endswith(("?", ".")) else "."  # a hint is a sentence of its own
        said = f"plugin {self.owner} could not be loaded: {self.cause}{end}"
        disable = f"set SEQZOO_DISABLE={quoted(self.disable)} to disable it" if self.disable else ""
        if not self.command:
            return f"{said} Fix or uninstall it{disable and f', or {disable}'}."
        if not disable:
            return f"{said} Try: {self.command}"
        # Last, and without a full stop, so that it can be pasted.
        return f"{said} {disable[0].upper()}{disable[1:]}, or try: {self.command}"


@dataclass(frozen=True)
class Clash(Broken):
    """A name that two plugins declare; both work but for it."""

    def __str__(self) -> str:
        return f"{self.cause}."


class Candidate(NamedTuple):
    """An entry point of a plugin, and who it belongs to."""

    entry_point: metadata.EntryPoint
    owner: Owner


def find_plugins() -> tuple[list[Candidate], list[Broken]]:
    """The entry points of every distribution, and the distributions whose table is damaged.

    Built-in plugins come first: a name that they declare is theirs. The order does not depend on
    that of the file system.
    """
    # One distribution at a time: `metadata.entry_points()` raises where a single table cannot be
    # read, even one that has nothing to do with seqzoo.
    found: dict[str, list[Candidate]] = {}
    broken: dict[str, Broken] = {}
    for distribution in metadata.distributions():
        try:
            table = set(distribution.entry_points.select(group=ENTRY_POINT_GROUP))
        except Exception as error:
            name, version = _identity(distribution)
            cause = cause_of(error)
            broken.setdefault(name, Broken(Owner("entry_points.txt", name, version), cause))
            continue
        if not table:  # its METADATA is not read: that takes long, and may be damaged too
            continue
        name, version = _identity(distribution)
        if name not in found and not _is_hidden(distribution, name):
            found[name] = [Candidate(each, Owner(each.name, name, version)) for each in table]
    candidates = [candidate for table in found.values() for candidate in table]
    candidates.sort(key=_place)
    return candidates, list(broken.values())


def _place(candidate: Candidate) -> tuple[bool, str, str]:
    entry_point, owner = candidate
    return not owner.is_built_in, entry_point.name, entry_point.value


def _identity(distribution: metadata.Distribution) -> tuple[str, str]:
    """Name and version; from the folder's name where the METADATA is gone or damaged."""
    try:
        described = distribution.metadata
        stated = (described["Name"] or "", described["Version"] or "")
    except Exception:
        stated = ("", "")
    folder = Path(str(getattr(distribution, "_path", ""))).stem
    name, _, version = folder.partition("-")
    return stated[0] or name or "?", stated[1] or version


def _is_hidden(distribution: metadata.Distribution, name: str) -> bool:
    """Whether an earlier folder of sys.path has the same distribution, whose modules are used."""
    try:
        first = metadata.distribution(name)
    except Exception:
        return False
    return str(first.locate_file("")) != str(distribution.locate_file(""))


def import_plugin(entry_point: metadata.EntryPoint) -> Any:
    """What an entry point names. Raises PluginError where it names nothing, and what it raises."""
    if metadata.EntryPoint.pattern.fullmatch(entry_point.value.strip()) is None:
        raise PluginError(
            f"its entry point is '{entry_point.value}', expected a module, or module:object"
        )
    loaded: Any = importlib.import_module(entry_point.module)
    try:
        return reduce(getattr, filter(None, (entry_point.attr or "").split(".")), loaded)
    except AttributeError as error:
        raise PluginError(
            f"its entry point is '{entry_point.value}', and the module '{entry_point.module}' has "
            f"no '{entry_point.attr}'"
        ) from error


def import_file(file: PluginFile) -> ModuleType:
    """Run a plugin file. Raises what it raises."""
    name = PLUGIN_FILE_PREFIX + file.path.stem
    loader = _FileLoader(file)
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None  # for a loader there is always one
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look their module up there
    try:
        loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


class _FileLoader(importlib.abc.ExecutionLoader):
    """Runs the content that was read, and neither a newer file nor compiled code beside it."""

    def __init__(self, file: PluginFile) -> None:
        self._file = file

    def get_filename(self, fullname: str) -> str:
        """The file, for tracebacks and for `inspect`."""
        return str(self._file.path)

    def get_code(self, fullname: str) -> CodeType:
        """Its code. Raises SyntaxError, which always names the file."""
        try:
            return self.source_to_code(self._file.content, self.get_filename(fullname))
        except SyntaxError as error:
            error.filename, error.lineno = error.filename or str(self._file.path), error.lineno or 1
            raise

    def get_source(self, fullname: str) -> str:
        """Its text, for tracebacks."""
        return importlib.util.decode_source(self._file.content)

    def is_package(self, fullname: str) -> bool:
        """It is one file."""
        return False
