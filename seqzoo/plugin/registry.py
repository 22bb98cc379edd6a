"""Finds plugins and keeps what they declare: entry points and plugin files -> Registry.

Each plugin is loaded by itself. One that fails is kept in `broken` with its cause and takes
nothing else down; a name claimed twice belongs to nobody, and using it says who claims it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, Literal, TypeVar, overload

import pluggy

from seqzoo.errors import PluginError, UsageError, did_you_mean
from seqzoo.plugin import hooks as hookspecs
from seqzoo.plugin.check import Check
from seqzoo.plugin.specs import (
    ArchitectureSpec,
    BaselineSpec,
    CorpusSpec,
    SamplerSpec,
    Spec,
    StreamSpec,
    TokenizerSpec,
    TrackerSpec,
)

__all__ = ["KINDS", "Broken", "Owner", "Registered", "Registry", "load_registry"]

_SPEC_OF_HOOK: Mapping[str, type[Spec]] = {
    "register_architectures": ArchitectureSpec,
    "register_tokenizers": TokenizerSpec,
    "register_streams": StreamSpec,
    "register_samplers": SamplerSpec,
    "register_corpora": CorpusSpec,
    "register_baselines": BaselineSpec,
    "register_trackers": TrackerSpec,
    "register_checks": Check,
}

KINDS: tuple[str, ...] = tuple(spec.kind for spec in _SPEC_OF_HOOK.values())
"""What a plugin can declare, in the order in which lists show it."""


@dataclass(frozen=True)
class Owner:
    """Who declared something: a plugin, and the distribution and version that brought it."""

    plugin: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        brought_by = f"{self.distribution} {self.version}".strip()
        return f"'{self.plugin}' ({brought_by})" if brought_by else f"'{self.plugin}'"


@dataclass(frozen=True)
class Broken:
    """A plugin that could not be used, and why.

    can_be_disabled: whether SEQZOO_DISABLE reaches it; a damaged package comes before that.
    """

    owner: Owner
    cause: str
    can_be_disabled: bool = True

    def __str__(self) -> str:
        or_disable = (
            f", or set SEQZOO_DISABLE={self.owner.plugin} to do without it"
            if self.can_be_disabled
            else ""
        )
        return (
            f"plugin {self.owner} could not be loaded: {self.cause}. Mend or uninstall "
            f"it{or_disable}."
        )


Declared = TypeVar("Declared", bound=Spec, covariant=True)


@dataclass(frozen=True)
class Registered(Generic[Declared]):
    """A declaration and who made it."""

    spec: Declared
    owner: Owner


@dataclass
class Registry:
    """What is installed. Made by `load_registry`, passed on, never global."""

    broken: list[Broken] = field(default_factory=list)
    _claims: dict[str, dict[str, list[Registered[Any]]]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )

    def copy(self) -> Registry:
        """An independent registry: what is added to one is not in the other."""
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

        Raises PluginError where two plugins claim the name, UsageError where none does.
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
        return f"{kind} '{name}' is not installed.{did_you_mean(name, self.names(kind))}"

    def add(self, plugin: Any, owner: Owner) -> None:
        """Take all declarations of a plugin, or none.

        Raises PluginError with the cause where it declares something wrong.
        """
        declared = _declarations(plugin)
        # Only now, so that a plugin that fails half-way leaves nothing behind.
        for spec in declared:
            self._claims[spec.kind].setdefault(spec.name, []).append(Registered(spec, owner))

    def add_file(self, path: Path) -> None:
        """Load a plugin file that a recipe names. Raises PluginError, naming the file."""
        owner = Owner(plugin=path.name, distribution=str(path))
        try:
            with _quiet_import():
                module = _import_file(path)
            self.add(module, owner)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginError(
                f"plugin file {path} could not be loaded: {_cause(error)}."
            ) from error
        for kind, by_name in self._claims.items():
            for name, claims in by_name.items():
                if len(claims) > 1 and claims[-1].owner == owner:
                    raise PluginError(_claimed_twice(kind, name, claims))


def load_registry() -> Registry:
    """Load every installed plugin, each by itself.

    SEQZOO_DISABLE: comma-separated entry-point names that are left alone.
    SEQZOO_STRICT_PLUGINS=1: the first failure raises PluginError instead of being kept.
    """
    registry = Registry()
    disabled = {name.strip() for name in os.environ.get("SEQZOO_DISABLE", "").split(",")}
    strict = os.environ.get("SEQZOO_STRICT_PLUGINS", "") not in ("", "0")
    for entry_point in _entry_points(registry):
        if entry_point.name in disabled:
            continue
        owner = _owner(entry_point)
        try:
            with _quiet_import():
                plugin = entry_point.load()
                registry.add(plugin, owner)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit at import must not end the host either
            registry.broken.append(Broken(owner, _cause(error)))
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


def _entry_points(registry: Registry) -> list[metadata.EntryPoint]:
    """Every distribution's, sorted, so that messages do not depend on the file system's order.

    One distribution at a time: `metadata.entry_points()` fails as a whole where the table of any
    single one, seqzoo's business or not, cannot be read.
    """
    found: dict[str, list[metadata.EntryPoint]] = {}
    for distribution in metadata.distributions():
        name = distribution.name or str(getattr(distribution, "_path", distribution))
        if name in found:
            continue  # shadowed by one that stands earlier on sys.path
        try:
            table = distribution.entry_points.select(group=hookspecs.ENTRY_POINT_GROUP)
            found[name] = list(table)
        except Exception as error:
            owner = Owner("entry_points.txt", name, distribution.version or "")
            registry.broken.append(Broken(owner, _cause(error), can_be_disabled=False))
    return sorted(
        (entry_point for table in found.values() for entry_point in table),
        key=lambda entry_point: (entry_point.name, entry_point.value),
    )


def _owner(entry_point: metadata.EntryPoint) -> Owner:
    distribution = entry_point.dist
    if distribution is None:
        return Owner(entry_point.name)
    # Either is None where the distribution's METADATA is gone.
    return Owner(entry_point.name, distribution.name or "", distribution.version or "")


def _declarations(plugin: Any) -> list[Spec]:
    """Everything a plugin's hooks return, checked. Raises where a hook is wrong."""
    manager = pluggy.PluginManager(hookspecs.ENTRY_POINT_GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    try:
        manager.check_pending()  # a misspelt hook would otherwise never be called
    except pluggy.PluginValidationError as error:
        known = [name for name in vars(hookspecs) if name.startswith("register_")]
        misspelt = next((name for name in dir(plugin) if name in str(error)), "?")
        raise PluginError(
            f"seqzoo has no hook '{misspelt}'.{did_you_mean(misspelt, known)}"
        ) from error
    declared: list[Spec] = []
    callers = manager.get_hookcallers(plugin) or []
    if not callers:
        raise PluginError("it implements no seqzoo hook (is @seqzoo.hookimpl missing?)")
    for caller in callers:
        expected = _SPEC_OF_HOOK[caller.name]
        for implementation in caller.get_hookimpls():
            returned = implementation.function()
            if not isinstance(returned, Iterable) or isinstance(returned, (str, bytes)):
                raise PluginError(
                    f"{caller.name} returned {type(returned).__name__}, expected an iterable of "
                    f"{expected.__name__}"
                )
            for spec in returned:
                if not isinstance(spec, expected):
                    raise PluginError(
                        f"{caller.name} gave {type(spec).__name__}, expected {expected.__name__}"
                    )
                if any(spec.kind == other.kind and spec.name == other.name for other in declared):
                    raise PluginError(f"it declares {spec.kind} '{spec.name}' twice")
                declared.append(spec)
    return declared


def _import_file(path: Path) -> ModuleType:
    name = "seqzoo_plugin_file_" + path.stem
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
def _quiet_import() -> Any:
    """Keep what a plugin prints or warns while loading out of stdout, which carries results."""
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _cause(error: BaseException) -> str:
    """The error in one line, with its kind where the message alone says too little."""
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


def _claimed_twice(kind: str, name: str, claims: list[Registered[Any]]) -> str:
    owners = " and ".join(str(claim.owner) for claim in claims)
    return (
        f"{kind} '{name}' is declared by {owners}, so it belongs to neither. Disable one with "
        f"SEQZOO_DISABLE or rename it."
    )
