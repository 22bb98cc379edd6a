"""What one plugin declares: its hooks are called and what they return is checked."""

from __future__ import annotations

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
    OptimizerSpec,
    SamplerSpec,
    ScheduleSpec,
    Spec,
    StreamSpec,
    TokenizerSpec,
    TrackerSpec,
)

__all__ = ["PLUGIN_KINDS", "declarations"]

_SPEC_OF_HOOK: Mapping[str, type[Spec]] = {
    "register_architectures": ArchitectureSpec,
    "register_tokenizers": TokenizerSpec,
    "register_streams": StreamSpec,
    "register_optimizers": OptimizerSpec,
    "register_schedules": ScheduleSpec,
    "register_samplers": SamplerSpec,
    "register_corpora": CorpusSpec,
    "register_baselines": BaselineSpec,
    "register_trackers": TrackerSpec,
    "register_checks": Check,
}

PLUGIN_KINDS: tuple[str, ...] = tuple(spec.kind for spec in _SPEC_OF_HOOK.values())
"""The kinds of declarations, in the order in which lists show them."""


def declarations(plugin: Any) -> list[Spec]:
    """Everything that a plugin's hooks return, checked.

    Raises PluginError where a hook is wrong, and whatever a hook raises.
    """
    manager = pluggy.PluginManager(hooks.ENTRY_POINT_GROUP)
    manager.add_hookspecs(hooks)
    manager.register(plugin)
    try:
        manager.check_pending()  # otherwise a misspelt hook would be ignored
    except pluggy.PluginValidationError as error:
        known = [name for name in vars(hooks) if name.startswith("register_")]
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
