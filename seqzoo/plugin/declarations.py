"""What one plugin declares: its hooks are called and what they return is checked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pluggy

from seqzoo.errors import PluginError, did_you_mean
from seqzoo.plugin import hooks
from seqzoo.plugin.check import Check
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

__all__ = ["PLUGIN_KINDS", "declarations", "hook_manager"]

SPEC_OF_HOOK: Mapping[str, type[Spec]] = {
    "register_architectures": ArchitectureSpec,
    "register_tokenizers": TokenizerSpec,
    "register_streams": StreamSpec,
    "register_optimizers": OptimizerSpec,
    "register_schedules": ScheduleSpec,
    "register_samplers": SamplerSpec,
    "register_decoders": DecoderSpec,
    "register_corpora": CorpusSpec,
    "register_baselines": BaselineSpec,
    "register_trackers": TrackerSpec,
    "register_launchers": LauncherSpec,
    "register_checks": Check,
}

PLUGIN_KINDS: tuple[str, ...] = tuple(spec.kind for spec in SPEC_OF_HOOK.values())
"""The kinds of declarations, in the order in which lists show them."""


def hook_manager() -> pluggy.PluginManager:
    """Knows the hooks; making one takes longer than loading a plugin, so each registry has one."""
    manager = pluggy.PluginManager(hooks.ENTRY_POINT_GROUP)
    manager.add_hookspecs(hooks)
    return manager


def declarations(plugin: Any, manager: pluggy.PluginManager) -> list[Spec]:
    """Everything that a plugin's hooks return, checked.

    manager: of `hook_manager`; the plugin is not in it afterwards.
    Raises PluginError where a hook is wrong, and whatever a hook raises.
    """
    try:
        return _declared(_registered(plugin, manager), plugin)
    finally:
        if manager.is_registered(plugin):
            manager.unregister(plugin)


def _registered(plugin: Any, manager: pluggy.PluginManager) -> list[pluggy.HookCaller]:
    """The hooks that a plugin implements."""
    try:
        manager.register(plugin)
        manager.check_pending()  # otherwise a misspelt hook would be ignored
    except pluggy.PluginValidationError as error:
        if found := re.search(r"definition: (\w+)\((.+)\)", str(error)):
            raise PluginError(f"{found[1]} takes no arguments, found '{found[2]}'") from error
        known = [name for name in vars(hooks) if name.startswith("register_")]
        misspelt = next((name for name in dir(plugin) if name in str(error)), "?")
        raise PluginError(
            f"seqzoo has no hook '{misspelt}'.{did_you_mean(misspelt, known)}"
        ) from error
    if inspect.isroutine(plugin):
        raise PluginError(f"its entry point names the function '{plugin.__name__}', not a module")
    if not (callers := manager.get_hookcallers(plugin)):
        raise PluginError("it implements no seqzoo hook (is @seqzoo.hookimpl missing?)")
    return callers


def _declared(callers: list[pluggy.HookCaller], plugin: Any) -> list[Spec]:
    """What the hooks return."""
    declared: list[Spec] = []
    for caller in callers:
        expected = SPEC_OF_HOOK[caller.name]
        if isinstance(plugin, type) and inspect.isfunction(vars(plugin).get(caller.name)):
            raise PluginError(
                f"its entry point names the class '{plugin.__name__}', not a module or an instance"
            )
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
