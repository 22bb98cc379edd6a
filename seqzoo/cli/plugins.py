"""The registry as every command wants it: loaded, with a warning for each broken plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqzoo.plugin.registry import Registry

__all__ = ["installed"]


def installed() -> Registry:
    """Everything that is installed; what is broken is said on stderr and left out."""
    from seqzoo.plugin.registry import load_registry
    from seqzoo.terminal.console import warn

    registry = load_registry()
    for broken in registry.broken:
        warn(str(broken))
    return registry
