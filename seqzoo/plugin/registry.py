"""The registry of what plugins declare: loaded from entry points, extended by plugin files.

Each plugin is loaded by itself. One that fails is listed in `broken` with its cause, and all others
still work. A built-in name stays with the built-in plugin: another plugin that declares it is
broken. A name that two other plugins declare cannot be used; the error names both plugins.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, overload

import pluggy

from seqzoo.errors import PluginError, UsageError, did_you_mean
from seqzoo.plugin.causes import Cause, why
from seqzoo.plugin.check import Check
from seqzoo.plugin.declarations import PLUGIN_KINDS, declarations, hook_manager
from seqzoo.plugin.discovery import (
    Broken,
    Candidate,
    Clash,
    Owner,
    find_plugins,
    import_file,
    import_plugin,
)
from seqzoo.plugin.quarantine import Found, Quarantine, Visit
from seqzoo.plugin.selection import DISABLED, Selection
from seqzoo.plugin.specs import (
    ArchitectureSpec,
    BaselineSpec,
    CorpusSpec,
    DecoderSpec,
    LauncherSpec,
    OptimizerSpec,
    SamplerSpec,
    ScheduleSpec,
    Spec,
    StreamSpec,
    TokenizerSpec,
    TrackerSpec,
)
from seqzoo.plugin.trust import PluginFile, Trust, allow
from seqzoo.terminal.format import quoted

__all__ = [
    "PLUGIN_KINDS",
    "Broken",
    "Found",
    "Owner",
    "Registered",
    "Registry",
    "installed_or",
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
    """What is installed. Made by `load_registry` and passed as an argument; never global.

    broken: the plugins that cannot be used. remarks: further sentences for the user, on plugins
    that work, and on plugin files. found: all plugins, also those that were not loaded.
    trust: which plugin files may run that recipes name.
    """

    broken: list[Broken] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    remarks_on_files: list[str] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    trust: Trust = field(default_factory=Trust, compare=False)
    _plugins: list[Any] = field(default_factory=list)
    _hooks: pluggy.PluginManager = field(default_factory=hook_manager, compare=False)
    _claims: dict[str, dict[str, list[Registered[Any]]]] = field(
        default_factory=lambda: {kind: {} for kind in PLUGIN_KINDS}
    )
    _files: dict[Owner, tuple[Path, PluginFile]] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Callable[..., Registry], tuple[Any, ...]]:
        """A copy in another process loads what is installed there, and the same plugin files."""
        known = {each.owner for each in self.found} | self._files.keys()
        for by_name in self._claims.values():
            for claim in itertools.chain.from_iterable(by_name.values()):
                if claim.owner not in known:
                    raise TypeError(
                        f"plugin {claim.owner} was added in this process, so a registry with it "
                        f"cannot be pickled; install the plugin, or name its file in the recipe."
                    )
        return _loaded_again, (self.trust, list(self._files.values()))

    def copy(self) -> Registry:
        """An independent copy: what is added to one is not in the other."""
        claims = {
            kind: {name: list(claimed) for name, claimed in by_name.items()}
            for kind, by_name in self._claims.items()
        }
        return replace(
            self,
            broken=list(self.broken),
            remarks=list(self.remarks),
            remarks_on_files=list(self.remarks_on_files),
            found=list(self.found),
            _plugins=list(self._plugins),
            _claims=claims,
            _files=dict(self._files),
        )

    def trusting(self, trust: Trust | None = None) -> Registry:
        """A copy with another trust; by default, one that lets every plugin file run."""
        copied = self.copy()
        copied.trust = trust or Trust(allow)
        return copied

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
    def registered(self, kind: Literal["decoder"]) -> list[Registered[DecoderSpec]]: ...
    @overload
    def registered(self, kind: Literal["corpus"]) -> list[Registered[CorpusSpec]]: ...
    @overload
    def registered(self, kind: Literal["baseline"]) -> list[Registered[BaselineSpec]]: ...
    @overload
    def registered(self, kind: Literal["tracker"]) -> list[Registered[TrackerSpec]]: ...
    @overload
    def registered(self, kind: Literal["launcher"]) -> list[Registered[LauncherSpec]]: ...
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
    def get(self, kind: Literal["decoder"], name: str) -> DecoderSpec: ...
    @overload
    def get(self, kind: Literal["corpus"], name: str) -> CorpusSpec: ...
    @overload
    def get(self, kind: Literal["baseline"], name: str) -> BaselineSpec: ...
    @overload
    def get(self, kind: Literal["tracker"], name: str) -> TrackerSpec: ...
    @overload
    def get(self, kind: Literal["launcher"], name: str) -> LauncherSpec: ...
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
            raise PluginError(f"{_claimed_twice(kind, name, claims)}.")
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
            return f"{_claimed_twice(kind, name, claims)}."
        for broken in self.broken:
            if broken.owner.plugin == name:
                return f"{kind} '{name}' is not available, because {broken}"
        if any(each.owner.plugin == name and each.status == "disabled" for each in self.found):
            return f"{kind} '{name}' is not available, because plugin '{name}' is {DISABLED}."
        known = self.names(kind)
        hint = did_you_mean(name, known) if known else f" {none_installed(kind)}"
        return f"{kind} '{name}' is not installed.{hint}"

    def add(self, plugin: Any, owner: Owner) -> None:
        """Add all declarations of a plugin, or none.

        Raises PluginError with the cause where it declares something wrong.
        """
        declared = declarations(plugin, self._hooks)
        for spec in declared:
            claims = self._claims[spec.kind].get(spec.name, [])
            if not owner.is_built_in and any(claim.owner.is_built_in for claim in claims):
                raise PluginError(_built_in(spec.kind, spec.name))
        # Added only now, so that a plugin that fails half-way adds nothing.
        for spec in declared:
            self._claims[spec.kind].setdefault(spec.name, []).append(Registered(spec, owner))

    def add_file(self, path: Path, file: PluginFile | None = None) -> None:
        """Load a plugin file, which the caller trusts. Raises PluginError, naming the file.

        file: its content, where that was read before; it need not be what the file now has.
        A file that is loaded again replaces its earlier declarations.
        """
        file = file or PluginFile.read(path)
        owner = Owner(plugin=path.name, distribution=str(path))
        try:
            with Quarantine() as quarantine, quarantine.visit(owner) as visit:
                module = import_file(file)
                self._remove(owner)
                self.add(module, owner)
                self._files[owner] = (path, file)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            cause = why(error)
            end = f"; try: {cause.command}" if cause.command else "."
            raise PluginError(
                f"plugin file {path} could not be loaded: {cause.sentence}{end}"
            ) from error
        visit.earlier += self._earlier_forms(owner)
        if visit.changed or visit.earlier:
            self.remarks_on_files.append(f"plugin file {path} {visit.faults}.")
        for kind, by_name in self._claims.items():
            for name, claims in by_name.items():
                if len(claims) > 1 and claims[-1].owner == owner:
                    raise PluginError(f"{_claimed_twice(kind, name, claims)}.")

    def declared_by(self, owner: Owner) -> list[Spec]:
        """What a plugin declares, by kind and name."""
        return [
            claim.spec
            for by_name in self._claims.values()
            for _, claims in sorted(by_name.items())
            for claim in claims
            if claim.owner == owner
        ]

    def _load(self, candidate: Candidate, quarantine: Quarantine, disable: str) -> None:
        """Load one plugin; if it fails, it is listed in `broken`."""
        entry_point, owner = candidate
        visit = Visit()
        try:
            with quarantine.visit(owner) as visit:
                plugin = import_plugin(entry_point)
                # Two entry points can name one plugin, of a package that was renamed for example.
                if not any(plugin is each for each in self._plugins):
                    self.add(plugin, owner)
                    self._plugins.append(plugin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit at import must not end this process either
            self._break(owner, why(error, entry_point), visit, disable)
            return
        visit.earlier += self._earlier_forms(owner)
        self.found.append(Found(owner, "loaded", visit))
        # Of a built-in plugin, the user needs no report: tests check those.
        if visit.faults and not owner.is_built_in:
            disabling = f" SEQZOO_DISABLE={quoted(disable)} disables it." if disable else ""
            self.remarks.append(f"plugin {owner} {visit.faults}.{disabling}")

    def _earlier_forms(self, owner: Owner) -> tuple[str, ...]:
        return tuple(
            f"{form} of {spec.kind} '{spec.name}'"
            for spec in self.declared_by(owner)
            for form in spec.earlier_forms
        )

    def _break(self, owner: Owner, cause: Cause, visit: Visit, disable: str = "") -> None:
        self.broken.append(Broken(owner, *cause, disable=disable))
        self.found.append(Found(owner, "broken", visit, cause.sentence))

    def _remove(self, owner: Owner) -> None:
        for by_name in self._claims.values():
            for name, claims in list(by_name.items()):
                by_name[name] = [claim for claim in claims if claim.owner != owner]
                if not by_name[name]:
                    del by_name[name]


def installed_or(registry: Registry | None, *, trust: bool) -> Registry:
    """The registry that a caller gave, or all that is installed; trust: see `load_registry`."""
    if registry is None:
        return load_registry(trust=trust)
    return registry.trusting() if trust else registry


def none_installed(kind: str) -> str:
    """A sentence for a kind of which no plugin is installed."""
    return f"No {kind} is installed; docs/plugins.md shows how to write one."


def load_registry(*, trust: bool = False) -> Registry:
    """Load every installed plugin, each by itself.

    trust: whether the plugin files that recipes and runs name may run.
    SEQZOO_DISABLE, SEQZOO_LOAD_PLUGINS: which are loaded (seqzoo/plugin/selection.py).
    SEQZOO_STRICT_PLUGINS=1: the first failure raises PluginError; else it is listed in `broken`.
    """
    candidates, damaged = find_plugins()
    selection = Selection(os.environ, candidates)
    found = [Found(each.owner, "broken", cause=each.cause) for each in damaged]
    registry = Registry([*damaged], selection.unknown, found=found)
    if trust:
        registry.trust = Trust(allow)
    is_strict = os.environ.get("SEQZOO_STRICT_PLUGINS", "") not in ("", "0")
    with Quarantine() as quarantine:
        for candidate in candidates:
            if selection.excludes(candidate.owner):
                registry.found.append(Found(candidate.owner, "disabled"))
                continue
            registry._load(candidate, quarantine, selection.disabling(candidate.owner))
            if is_strict and len(registry.broken) > len(damaged):
                raise PluginError(str(registry.broken[-1]))
    for kind, by_name in registry._claims.items():
        for name, claims in by_name.items():
            if len(claims) > 1:
                clash = Clash(claims[-1].owner, _claimed_twice(kind, name, claims))
                if is_strict:
                    raise PluginError(str(clash))
                registry.broken.append(clash)
    return registry


def _loaded_again(trust: Trust, files: Iterable[tuple[Path, PluginFile]]) -> Registry:
    """What a pickled registry becomes."""
    registry = load_registry()
    registry.trust = trust
    for path, file in files:
        registry.add_file(path, file)
    return registry


def _claimed_twice(kind: str, name: str, claims: list[Registered[Any]]) -> str:
    owners = " and ".join(str(claim.owner) for claim in claims)
    return (
        f"{kind} '{name}' is declared by {owners}, so the name cannot be used. Disable one with "
        f"SEQZOO_DISABLE, or rename one"
    )


def _built_in(kind: str, name: str) -> str:
    return f"it declares the {kind} '{name}', which is a name of seqzoo itself and must be renamed"
