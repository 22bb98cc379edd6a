"""The checks, in the order in which they run and are reported: causes before consequences."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib import import_module
from pkgutil import iter_modules

from seqzoo.doctor.causes import with_causes
from seqzoo.errors import UsageError, did_you_mean
from seqzoo.plugin.check import Check
from seqzoo.plugin.registry import Registry

__all__ = ["GROUPS", "all_checks", "check_table", "select_checks"]

GROUPS = ("stream", "model", "memory", "optimisation", "verdict", "decoding", "environment")
"""From what feeds the model to what comes out of it; the machine last."""


def all_checks(registry: Registry) -> list[Check]:
    """Our own, one in each module of a group's folder, and those of plugins, by group and rank.

    A plugin that declares a check with the name of one of ours is listed in `registry.broken`.
    """
    own = [
        with_causes(import_module(module.name).CHECK)
        for group in GROUPS
        for module in iter_modules([f"{__path__[0]}/{group}"], f"{__name__}.{group}.")
        if not module.name.rpartition(".")[2].startswith("_")
    ]
    registry.refuse_built_in("check", [check.name for check in own])
    third_party = [registered.spec for registered in registry.registered("check")]
    return sorted([*own, *third_party], key=_place)


def select_checks(registry: Registry, only: Sequence[str] = ()) -> list[Check]:
    """All checks, or those that `only` names, a group by its name or `group.*`.

    Raises UsageError if a name is not a check.
    """
    checks = all_checks(registry)
    names = [check.name for check in checks]
    wanted: set[str] = set()
    for name in only:
        pattern = f"{name}.*" if name in {check.group for check in checks} else name
        found = {known for known in names if fnmatchcase(known, pattern)}
        if not found:
            raise UsageError(f"there is no check '{name}'.{did_you_mean(name, names)}")
        wanted |= found
    return [check for check in checks if not only or check.name in wanted]


def check_table() -> str:
    """The built-in checks as Markdown: name, what is healthy, whether the quick mode runs it."""
    lines = ["", "| check | healthy is | quick |", "|---|---|---|"]
    for check in all_checks(Registry()):
        quick = "yes" if check.is_quick else ""
        lines.append(f"| `{check.name}` | {check.summary} | {quick} |")
    return "\n".join(lines) + "\n\n"


def _place(check: Check) -> tuple[int, int, str]:
    group = GROUPS.index(check.group) if check.group in GROUPS else len(GROUPS)
    return group, check.rank, check.name
