"""The registry of what plugins declare: loaded from entry points, extended by plugin files.

Each plugin is loaded by itself. One that fails is listed in `broken` with its cause, and all others
still work. A name that two plugins declare cannot be used; the error names both plugins.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, overload

from seqzoo.errors import PluginError, UsageError, did_you_mean
from seqzoo.plugin.check import Check
from seqzoo.plugin.declarations import PLUGIN_KINDS, declarations
from seqzoo.plugin.discovery import (
    Broken,
    Owner,
    cause_of,
    find_entry_points,
    import_file,
    loading,
    owner_of,
)
from seqzoo.plugin.specs import (
    ArchitectureSpec,
    BaselineSpec,
    CorpusSpec,
    OptimizerSpec,
    SamplerSpec,
    ScheduleSpec,
    Spec,
    StreamSpec,
    TokenizerSpec,
    TrackerSpec,
)

__all__ = [
    "PLUGIN_KINDS",
    "Broken",
    "Owner",
    "Registered",
    "Registry",
    "load_registry",
    "none_installed",
]

Declared = TypeVar("Declared", bound=Spec, covariant=True)


@dataclass(frozen=True)
class Registered(Generic[Declared]):
    """A declaration and who made it."""

    spec: Declared
    owner: Owner


@dataclass
class Registry:
    """What is installed. Made by `load_registry` and passed as an argument; never global."""

    broken: list[Broken] = field(default_factory=list)
    _claims: dict[str, dict[str, list[Registered[Any]]]] = field(
        default_factory=lambda: {kind: {} for kind in PLUGIN_KINDS}
    )

    def copy(self) -> Registry:
        """An independent copy: what is added to one is not in the other."""
        claims = {
            kind: {name: list(claimed) for name, claimed in by_name.items()}
            for kind, by_name in self._claims.items()
        }
        return Registry(list(self.broken), claims)

    def names(self, kind: str) -> list[str]:
        """Usable names of a kind, sorted."""
        return sorted(name for name, claims in self._claims[kind].items() if len(claims) == 1)

    @overload
    def registered(self, kind: Literal["architecture"]) -> list[Registered[ArchitectureSpec]]: ...
    @overload
    def registered(self, kind: Literal["tokenizer"]) -> list[Registered[TokenizerSpec]]: ...
    @overload
    def registered(self, kind: Literal["stream"]) -> list[Registered[StreamSpec]]: ...
    @overload
    def registered(self, kind: Literal["optimizer"]) -> list[Registered[OptimizerSpec]]: ...
    @overload
    def registered(self, kind: Literal["schedule"]) -> list[Registered[ScheduleSpec]]: ...
    @overload
    def registered(self, kind: Literal["sampler"]) -> list[Registered[SamplerSpec]]: ...
    @overload
    def registered(self, kind: Literal["corpus"]) -> list[Registered[CorpusSpec]]: ...
    @overload
    def registered(self, kind: Literal["baseline"]) -> list[Registered[BaselineSpec]]: ...
    @overload
    def registered(self, kind: Literal["tracker"]) -> list[Registered[TrackerSpec]]: ...
    @overload
    def registered(self, kind: Literal["check"]) -> list[Registered[Check]]: ...
    @overload
    def registered(self, kind: str) -> list[Registered[Spec]]: ...
    def registered(self, kind: str) -> list[Registered[Any]]:
        """Usable declarations of a kind, sorted by name."""
        return [self._claims[kind][name][0] for name in self.names(kind)]

    @overload
    def get(self, kind: Literal["architecture"], name: str) -> ArchitectureSpec: ...
    @overload
    def get(self, kind: Literal["tokenizer"], name: str) -> TokenizerSpec: ...
    @overload
    def get(self, kind: Literal["stream"], name: str) -> StreamSpec: ...
    @overload
    def get(self, kind: Literal["optimizer"], name: str) -> OptimizerSpec: ...
    @overload
    def get(self, kind: Literal["schedule"], name: str) -> ScheduleSpec: ...
    @overload
    def get(self, kind: Literal["sampler"], name: str) -> SamplerSpec: ...
    @overload
    def get(self, kind: Literal["corpus"], name: str) -> CorpusSpec: ...
    @overload
    def get(self, kind: Literal["baseline"], name: str) -> BaselineSpec: ...
    @overload
    def get(self, kind: Literal["tracker"], name: str) -> TrackerSpec: ...
    @overload
    def get(self, kind: Literal["check"], name: str) -> Check: ...
    @overload
    def get(self, kind: str, name: str) -> Spec: ...
    def get(self, kind: str, name: str) -> Spec:
        """The spec of that name.

        Raises PluginError where two plugins declare the name, UsageError where none does.
        """
        claims = self._claims[kind].get(name, [])
        if len(claims) > 1:
            raise PluginError(_claimed_twice(kind, name, claims))
        if not claims:
            raise UsageError(self.explain_missing(kind, name))
        spec: Spec = claims[0].spec
        return spec

    def owner(self, kind: str, name: str) -> Owner:
        """Who declared a usable name."""
        return self._claims[kind][name][0].owner

    def explain_missing(self, kind: str, name: str) -> str:
        """One sentence on why a name cannot be used, with the nearest that can."""
        claims = self._claims[kind].get(name, [])
        if len(claims) > 1:
            return _claimed_twice(kind, name, claims)
        for broken in self.broken:
            if broken.owner.plugin == name:
                return f"{kind} '{name}' is not available, because {broken}"
        known = self.names(kind)
        hint = did_you_mean(name, known) if known else f" {none_installed(kind)}"
        return f"{kind} '{name}' is not installed.{hint}"

    def add(self, plugin: Any, owner: Owner) -> None:
        """Add all declarations of a plugin, or none.

        Raises PluginError with the cause where it declares something wrong.
        """
        declared = declarations(plugin)
        # Added only now, so that a plugin that fails half-way adds nothing.
        for spec in declared:
            self._claims[spec.kind].setdefault(spec.name, []).append(Registered(spec, owner))

    def add_file(self, path: Path) -> None:
        """Load a plugin file that a recipe names. Raises PluginError, naming the file.

        A file that is loaded again replaces its earlier declarations.
        """
        owner = Owner(plugin=path.name, distribution=str(path))
        try:
            with loading():
                module = import_file(path)
            self._remove(owner)
            self.add(module, owner)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginError(
                f"plugin file {path} could not be loaded: {cause_of(error)}."
            ) from error
        for kind, by_name in self._claims.items():
            for name, claims in by_name.items():
                if len(claims) > 1 and claims[-1].owner == owner:
                    raise PluginError(_claimed_twice(kind, name, claims))

    def _remove(self, owner: Owner) -> None:
        for by_name in self._claims.values():
            for name, claims in list(by_name.items()):
                by_name[name] = [claim for claim in claims if claim.owner != owner]
                if not by_name[name]:
                    del by_name[name]


def none_installed(kind: str) -> str:
    """A sentence for a kind of which no plugin is installed."""
    return f"No {kind} is installed; docs/plugins.md shows how to write one."


def load_registry() -> Registry:
    """Load every installed plugin, each by itself.

    SEQZOO_DISABLE: comma-separated names of entry points that are not loaded.
    SEQZOO_STRICT_PLUGINS=1: the first failure raises PluginError; else it is listed in `broken`.
    """
    entry_points, damaged = find_entry_points()
    registry = Registry(damaged)
    disabled = {name.strip() for name in os.environ.get("SEQZOO_DISABLE", "").split(",")}
    strict = os.environ.get("SEQZOO_STRICT_PLUGINS", "") not in ("", "0")
    for entry_point in entry_points:
        if entry_point.name in disabled:
            continue
        owner = owner_of(entry_point)
        try:
            with loading():
                plugin = entry_point.load()
                registry.add(plugin, owner)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit at import must not end this process either
            registry.broken.append(Broken(owner, cause_of(error)))
            if strict:
                raise PluginError(str(registry.broken[-1])) from error
    for kind, by_name in registry._claims.items():
        for name, claims in by_name.items():
            if len(claims) > 1:
                message = _claimed_twice(kind, name, claims)
                if strict:
                    raise PluginError(message)
                registry.broken.append(Broken(claims[-1].owner, message.rstrip(".")))
    return registry


def _claimed_twice(kind: str, name: str, claims: list[Registered[Any]]) -> str:
    owners = " and ".join(str(claim.owner) for claim in claims)
    return (
        f"{kind} '{name}' is declared by {owners}, so the name cannot be used. Disable one with "
        f"SEQZOO_DISABLE, or rename one."
    )
