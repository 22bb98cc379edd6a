"""The checks, in the order in which they run and are reported: causes before consequences."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from seqzoo.errors import UsageError, did_you_mean
from seqzoo.plugin.check import Check
from seqzoo.plugin.registry import Registry

__all__ = ["GROUPS", "all_checks", "check_table", "select_checks"]

GROUPS = (
    "loop",
    "stream",
    "model",
    "memory",
    "optimisation",
    "verdict",
    "decoding",
    "environment",
)
"""A watched loop; then from what feeds the model to what comes out of it; the machine last."""


def all_checks(registry: Registry) -> list[Check]:
    """Our own and those of other plugins, by group and rank."""
    return sorted((each.spec for each in registry.registered("check")), key=_place)


def select_checks(registry: Registry, only: Sequence[str] = ()) -> list[Check]:
    """All checks, or those that `only` names, a group by its name or `group.*`.

    Raises UsageError if a name is not a check.
    """
    checks = all_checks(registry)
    if not checks:
        raise UsageError(
            "no check is installed; take 'doctor' out of SEQZOO_DISABLE, or install seqzoo again."
        )
    names = [check.name for check in checks]
    wanted: set[str] = set()
    for name in only:
        pattern = f"{name}.*" if name in {check.group for check in checks} else name
        found = {known for known in names if fnmatchcase(known, pattern)}
        if not found:
            raise UsageError(f"there is no check '{name}'.{did_you_mean(name, names)}")
        wanted |= found
    return [check for check in checks if not only or check.name in wanted]


def check_table(registry: Registry) -> str:
    """The built-in checks as Markdown: name, what is healthy, whether the quick mode runs it."""
    lines = ["", "| check | healthy is | quick |", "|---|---|---|"]
    for check in all_checks(registry):
        quick = "yes" if check.is_quick else ""
        lines.append(f"| `{check.name}` | {check.summary} | {quick} |")
    return "\n".join(lines) + "\n\n"


def _place(check: Check) -> tuple[int, int, str]:
    group = GROUPS.index(check.group) if check.group in GROUPS else len(GROUPS)
    return group, check.rank, check.name
