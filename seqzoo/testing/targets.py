"""What a target names: declarations of a module, a file, a package, or something installed."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from seqzoo.errors import UsageError, did_you_mean
from seqzoo.plugin.causes import cause_of
from seqzoo.plugin.declarations import PLUGIN_KINDS, declarations, hook_manager
from seqzoo.plugin.discovery import (
    Owner,
    find_plugins,
)
from seqzoo.plugin.quarantine import Quarantine
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.plugin.specs import Spec
from seqzoo.terminal.format import quoted
from seqzoo.testing.home import Home

__all__ = ["FoundPlugin", "Target", "find"]

Target: TypeAlias = str | Path | ModuleType | Spec | None
"""A module, a declaration, the name of something installed, a plugin file, a package; None: all."""


@dataclass(frozen=True)
class FoundPlugin:
    """A plugin and those of its declarations that are meant.

    error: why it could not be loaded, in a sentence; "" if it could.
    """

    owner: Owner
    home: Home | None
    specs: tuple[Spec, ...]
    error: str = ""
    is_whole: bool = True


def find(target: Target) -> list[FoundPlugin]:
    """The plugins that a target names.

    A text is the name of a plugin or of one of its declarations (`lstm`, or `architecture.lstm`),
    a plugin file, the name of a distribution, or a module. Raises UsageError where it is nothing.
    """
    if isinstance(target, Spec):
        return [FoundPlugin(Owner(target.name), None, (target,), is_whole=False)]
    if isinstance(target, ModuleType):
        return [_of_module(target)]
    if isinstance(target, Path) or (target is not None and _looks_like_a_file(target)):
        return [_of_file(Path(target))]
    installed = list(_installed())
    if target is None:
        return installed
    return _named(target, installed)


def _looks_like_a_file(text: str) -> bool:
    return text.endswith(".py") or os.sep in text or text.startswith(("~", "."))


def _of_file(path: Path) -> FoundPlugin:
    path = path.expanduser()
    if os.path.isdir(path):  # unlike Path.is_dir, it takes a name that is too long
        raise _is_folder(path)
    if not os.path.isfile(path):
        beside = [each.name for each in _python_files(path.parent)]
        raise UsageError(f"there is no plugin file {path}.{did_you_mean(path.name, beside)}")
    return _loaded(Owner(path.name, str(path)), Home(str(path.absolute()), is_file=True))


def _loaded(owner: Owner, home: Home) -> FoundPlugin:
    """A plugin that this process has not loaded yet; what it changes is put back."""
    try:
        with Quarantine() as quarantine, quarantine.visit(owner):
            return FoundPlugin(owner, home, tuple(home.declared()))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return FoundPlugin(owner, home, (), error=cause_of(error))


def _is_folder(path: Path) -> UsageError:
    if (path / "pyproject.toml").is_file():
        return UsageError(
            f"{path} is the folder of a package; install it and check it by its name: pip install "
            f"-e {quoted(path)}"
        )
    inside = [file.name for file in _python_files(path)]
    return UsageError(
        f"{path} is a folder, expected a plugin file, or the name of a package."
        f"{did_you_mean('', inside)}"
    )


def _python_files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.py"))
    except OSError:
        return []


def _of_module(module: ModuleType) -> FoundPlugin:
    """A module object, whose declarations are not loaded again."""
    owner = Owner(module.__name__)
    file = getattr(module, "__file__", None)
    home = None
    if importlib.util.find_spec(module.__name__) if module.__spec__ is not None else None:
        home = Home(module.__name__)
    elif file is not None:
        home = Home(file, is_file=True)
    try:
        return FoundPlugin(owner, home, tuple(declarations(module, hook_manager())))
    except Exception as error:
        return FoundPlugin(owner, home, (), error=cause_of(error))


def _installed() -> Iterator[FoundPlugin]:
    registry = load_registry()
    specs = _specs_by_owner(registry)
    homes = {owner: Home(entry_point.value) for entry_point, owner in find_plugins()[0]}
    for owner, home in homes.items():
        if owner in specs:
            yield FoundPlugin(owner, home, tuple(specs[owner]))
    for broken in registry.broken:
        yield FoundPlugin(broken.owner, homes.get(broken.owner), (), error=broken.cause)


def _specs_by_owner(registry: Registry) -> dict[Owner, list[Spec]]:
    found: dict[Owner, list[Spec]] = {}
    for kind in PLUGIN_KINDS:
        for entry in registry.registered(kind):
            found.setdefault(entry.owner, []).append(entry.spec)
    return found


def _named(name: str, installed: list[FoundPlugin]) -> list[FoundPlugin]:
    """What `name` is among the installed, else the module of that name."""
    meant = [
        FoundPlugin(plugin.owner, plugin.home, specs, is_whole=False)
        for plugin in installed
        if (specs := tuple(s for s in plugin.specs if name in (s.name, f"{s.kind}.{s.name}")))
    ]
    if meant:
        return meant
    for label in ("plugin", "distribution"):
        found = [each for each in installed if _normal(getattr(each.owner, label)) == _normal(name)]
        if found:
            return found
    if os.path.isdir(name) and not os.path.isfile(os.path.join(name, "__init__.py")):
        raise _is_folder(Path(name))
    if (module := _module(name)) is not None:
        return [module]
    declared = [spec for each in installed for spec in each.specs]
    known = {f"{spec.kind}.{spec.name}" if "." in name else spec.name for spec in declared}
    known |= {each.owner.plugin for each in installed}
    known |= {each.owner.distribution for each in installed if each.owner.distribution}
    hint = did_you_mean(name, known)
    raise UsageError(
        f"'{name}' is neither installed nor a plugin file or a module.{hint}"
        + ("" if hint else " 'seqzoo list' shows what is installed.")
    )


def _module(name: str) -> FoundPlugin | None:
    """The module with this name as a plugin; None if there is none."""
    if not re.fullmatch(r"\w+(\.\w+)*", name):
        return None
    try:
        if importlib.util.find_spec(name) is None:
            return None
    except (ImportError, ValueError):
        return None
    return _loaded(Owner(name), Home(name))


def _normal(name: str) -> str:
    """A distribution's name as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
