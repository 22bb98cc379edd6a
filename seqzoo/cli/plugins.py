"""The registry for a command: all plugins are loaded, with a warning for each broken one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqzoo.plugin.registry import Registry

__all__ = ["installed"]


def installed() -> Registry:
    """All installed plugins. Each broken plugin is reported on stderr and left out."""
    from seqzoo.plugin.registry import load_registry
    from seqzoo.terminal.console import warn

    registry = load_registry()
    for broken in registry.broken:
        warn(str(broken))
    for remark in registry.remarks:
        warn(remark)
    return registry
