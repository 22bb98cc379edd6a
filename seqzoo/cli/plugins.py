"""The registry for a command: all plugins are loaded, with a warning for each broken one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqzoo.plugin.registry import Broken, Registry

__all__ = ["installed", "loaded", "report_broken"]


@cache
def loaded() -> Registry:
    """All installed plugins, without a report; they are loaded once in a process."""
    from seqzoo.plugin.registry import load_registry

    return load_registry()


def installed() -> Registry:
    """All installed plugins. Each broken plugin is reported on stderr and left out."""
    from seqzoo.terminal.console import warn

    registry = loaded().copy()
    report_broken(registry)
    for remark in registry.remarks:
        warn(remark)
    return registry


def report_broken(registry: Registry, *, known: Sequence[Broken] = ()) -> None:
    """Report the broken plugins on stderr, except those that are known already."""
    from seqzoo.terminal.console import warn

    for broken in registry.broken:
        if broken not in known:
            warn(str(broken))
