"""Whether every installed plugin can be loaded.

Method: what the registry found. Cost: none. Pass rule: none is broken, no name is declared twice.
"""

from __future__ import annotations

from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.registry import PLUGIN_KINDS

__all__ = ["CHECK"]


def examine(subject: Subject) -> Outcome:
    registry = subject.registry
    count = sum(len(registry.registered(kind)) for kind in PLUGIN_KINDS)
    broken = registry.broken
    if broken:
        return Outcome.warned(
            "; ".join(str(each).rstrip(".") for each in broken),
            why="What they declare cannot be used; everything else can.",
            remedy="Fix or uninstall each, or name it in SEQZOO_DISABLE.",
            numbers={"broken": len(broken)},
        )
    return Outcome.passed(f"{count} declarations, none broken", broken=0)


CHECK = Check(
    name="environment.plugins",
    summary="every installed plugin can be loaded",
    examine=examine,
    rank=40,
)
