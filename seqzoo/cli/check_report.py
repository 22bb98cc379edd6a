"""The report of `seqzoo check`: what holds, what was skipped, and each finding in full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from seqzoo.testing import BoundLaw, Finding, Tried
    from seqzoo.testing.trying import Declared

__all__ = ["as_data", "by_declaration", "findings_of", "plain", "print_report"]


def findings_of(tried: list[tuple[BoundLaw, Tried]]) -> list[Finding]:
    """What was found, in the order of the laws."""
    return [each.finding for _, each in tried if each.finding is not None]


def print_report(
    target: str,
    tried: list[tuple[BoundLaw, Tried]],
    speeds: Mapping[str, str],
    console: Console,
) -> None:
    """Each declaration with its laws, then the findings, then one sentence."""
    findings = findings_of(tried)
    for declared, results in by_declaration(tried):
        console.print(Text(declared.title, style="bold"))
        facts = _facts_of(results)
        if speed := speeds.get(declared.name):
            facts["speed"] = speed
        console.print(Padding(_facts(facts), (0, 0, 0, 2)))
    for number, finding in enumerate(findings, start=1):
        console.print()
        console.print(Text(f"{number}. {finding.declared} breaks {finding.law}", style="bold red"))
        facts = {
            "law": finding.says,
            "seen": finding.seen,
            "smallest input": finding.input or "any",
            "usual cause": finding.cause,
        }
        console.print(Padding(_facts(facts), (0, 0, 0, 3)))
    console.print()
    console.print(Text(_summary(target, tried, findings), style="bold"))


def _facts(facts: Mapping[str, str]) -> Any:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))
    return table


def by_declaration(
    tried: list[tuple[BoundLaw, Tried]],
) -> Iterator[tuple[Declared, list[tuple[BoundLaw, Tried]]]]:
    """The results in groups, with what they are about."""
    groups: dict[int, list[tuple[BoundLaw, Tried]]] = {}
    for law, result in tried:
        groups.setdefault(id(law.declared), []).append((law, result))
    for results in groups.values():
        yield results[0][0].declared, results


def _facts_of(results: list[tuple[BoundLaw, Tried]]) -> dict[str, str]:
    facts: dict[str, str] = {}
    for status in ("holds", "broken"):
        names = [law.law.what for law, each in results if each.status == status]
        if names:
            facts[status] = ", ".join(names)
    reasons: dict[str, list[str]] = {}
    for law, each in results:
        if each.status == "skip":
            reasons.setdefault(each.reason, []).append(law.law.what)
    skipped = [f"{', '.join(names)} ({reason})" for reason, names in reasons.items()]
    if skipped:
        facts["skipped"] = "; ".join(skipped)
    inputs = sum(each.cases for _, each in results)
    choices = max(each.choices for _, each in results)
    refused = max(each.refused for _, each in results)
    facts["tried"] = f"{_counted(inputs, 'input')}, {_counted(choices, 'choice')} of options" + (
        f" ({refused} refused by the plugin)" if refused else ""
    )
    return facts


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _summary(target: str, tried: list[tuple[BoundLaw, Tried]], findings: list[Finding]) -> str:
    counts = {
        status: sum(each.status == status for _, each in tried)
        for status in ("holds", "broken", "skip")
    }
    held = f"{counts['holds']} of {len(tried)} laws hold"
    skipped = f", {counts['skip']} skipped" if counts["skip"] else ""
    if not findings:
        return f"{target}: {held}{skipped}."
    return f"{target}: {held}, {counts['broken']} broken{skipped}; fix first: {findings[0].law}."


def as_data(
    target: str, tried: list[tuple[BoundLaw, Tried]], speeds: Mapping[str, str]
) -> dict[str, Any]:
    """The same as plain data; findings may contain bytes (`plain`)."""
    return {
        "target": target,
        "healthy": not findings_of(tried),
        "speed": speeds,
        "laws": [
            {
                "name": law.name,
                "law": law.law.name,
                "says": law.law.says,
                "status": each.status,
                "reason": each.reason,
                "cases": each.cases,
                "choices": each.choices,
                "refused": each.refused,
                "finding": None if each.finding is None else vars(each.finding),
            }
            for law, each in tried
        ],
    }


def plain(value: Any) -> str:
    """What JSON does not have: bytes, as Python writes them."""
    return repr(value)
