"""The registry for a command: all plugins are loaded, with a warning for each broken one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqzoo.plugin.registry import Registry

__all__ = ["installed", "loaded"]


@cache
def loaded() -> Registry:
    """All installed plugins, without a report; they are loaded once in a process."""
    from seqzoo.plugin.registry import load_registry

    return load_registry()


def installed() -> Registry:
    """All installed plugins. Each broken plugin is reported on stderr and left out."""
    from seqzoo.terminal.console import warn

    registry = loaded().copy()
    for sentence in [*map(str, registry.broken), *registry.remarks]:
        warn(sentence)
    return registry
