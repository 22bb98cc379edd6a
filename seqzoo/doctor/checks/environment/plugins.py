"""Whether every installed plugin can be loaded, and leaves the process as it was.

Method: what the registry found. Cost: none. Pass rule: none is broken, no name is declared twice,
none imports torch or takes long while it is declared, and none changed a setting that all share.
"""

from __future__ import annotations

from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.registry import PLUGIN_KINDS

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    registry = subject.registry
    count = sum(len(registry.registered(kind)) for kind in PLUGIN_KINDS)
    remarks = registry.remarks + registry.remarks_on_files
    if registry.broken or remarks:
        return Outcome.warned(
            "; ".join(each.rstrip(".") for each in [*map(str, registry.broken), *remarks]),
            why="What a broken plugin declares cannot be used; everything else can.",
            remedy="Do what is said of each, or name it in SEQZOO_DISABLE.",
            numbers={"broken": len(registry.broken), "remarks": len(remarks)},
        )
    return Outcome.passed(f"{count} declarations, none broken", broken=0)
