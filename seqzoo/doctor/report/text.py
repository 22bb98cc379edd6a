"""The report: a line for each check, then each finding in full, causes first."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from seqzoo.doctor.diagnosis import Diagnosis, Examined
from seqzoo.doctor.evidence.missing import NO_RECIPE, NO_RUN, NO_TOKENIZER

__all__ = ["print_diagnosis"]

_STYLES = {"pass": "green", "warn": "yellow", "fail": "red", "skip": "dim"}
_OF_RECIPES = (NO_RECIPE, NO_RUN, NO_TOKENIZER)
_FEW = 4
_COUNTED = {"fail": "failed", "warn": "with a warning"}


def print_diagnosis(diagnosis: Diagnosis, console: Console) -> None:
    """All checks, what is wrong, and what to do about it."""
    console.print(_lines(diagnosis))
    for number, finding in enumerate(_reported(diagnosis), start=1):
        console.print()
        _print_finding(diagnosis, number, finding, console)
    console.print()
    console.print(Text(summary(diagnosis), style="bold"))


def summary(diagnosis: Diagnosis) -> str:
    """One sentence: the causes by name, or that there are none."""
    counts = {
        status: sum(each.outcome.status == status for each in _shown(diagnosis))
        for status in _STYLES
    }
    seconds = sum(each.seconds for each in diagnosis.examined)
    tally = f"{counts['pass']} passed, {counts['skip']} skipped, in {seconds:.0f} s"
    if diagnosis.is_healthy:
        return f"{diagnosis.title}: {_healthy(diagnosis)}; {tally}."
    found = [f"{counts[status]} {word}" for status, word in _COUNTED.items() if counts[status]]
    causes = ", ".join(each.check.name for each in diagnosis.causes)
    return f"{diagnosis.title}: {', '.join(found)}, {tally}; fix first: {causes}."


def _healthy(diagnosis: Diagnosis) -> str:
    """What is said where nothing was found."""
    ran = {each.check.group for each in diagnosis.examined if each.outcome.status != "skip"}
    if not ran:
        return "nothing was examined"
    asked = {each.check.group for each in diagnosis.examined}
    if "model" in asked - ran:
        return "nothing is wrong, but the model was not examined"
    return "healthy"


def _lines(diagnosis: Diagnosis) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    left_out = _of_recipes(diagnosis)
    together = _skipped_together([each for each in _shown(diagnosis) if each not in left_out])
    for each in _shown(diagnosis):
        if each in left_out:
            continue
        status = each.outcome.status
        others = together.get(each.outcome.seen, []) if status == "skip" else []
        if others:
            if each is others[0]:
                groups = ", ".join(dict.fromkeys(other.check.group for other in others))
                table.add_row(
                    Text("skip", style=_STYLES["skip"]),
                    Text(f"{len(others)} checks", style="dim"),
                    Text(f"of {groups}: {each.outcome.seen}", style="dim"),
                )
            continue
        style = "dim" if status == "skip" else ""
        table.add_row(
            Text(status, style=_STYLES[status]),
            Text(each.check.name, style=style),
            Text(each.outcome.seen, style=style),
        )
    if left_out:
        table.add_row(
            Text("skip", style=_STYLES["skip"]),
            Text(f"{len(left_out)} others", style="dim"),
            Text("they look at a recipe, a run or a tokenizer", style="dim"),
        )
    return table


def _of_recipes(diagnosis: Diagnosis) -> list[Examined]:
    """Checks that look at no code of a user's own: their lines would say that again and again."""
    reasons = {each.outcome.seen for each in diagnosis.examined}
    shown = _shown(diagnosis)
    if NO_RECIPE not in reasons:
        return []
    left_out = [
        each for each in shown if each.outcome.status == "skip" and each.outcome.seen in _OF_RECIPES
    ]
    return left_out if len(left_out) < len(shown) else []


def _skipped_together(examined: list[Examined]) -> dict[str, list[Examined]]:
    """Checks that are skipped for one reason, by the reason, where there are more than a few."""
    found: dict[str, list[Examined]] = {}
    for each in examined:
        if each.outcome.status == "skip":
            found.setdefault(each.outcome.seen, []).append(each)
    return {reason: checks for reason, checks in found.items() if len(checks) > _FEW}


def _shown(diagnosis: Diagnosis) -> list[Examined]:
    """All checks; those of a training loop only if one was watched, or if there are no others."""
    of_loop = [each for each in diagnosis.examined if each.check.group == "loop"]
    others = [each for each in diagnosis.examined if each.check.group != "loop"]
    is_watched = any(each.outcome.status != "skip" for each in of_loop)
    return list(diagnosis.examined) if is_watched or not others else others


def _reported(diagnosis: Diagnosis) -> list[Examined]:
    """The findings with a paragraph of their own: the others are in that of their cause."""
    return [each for each in diagnosis.findings if not _is_reported_with_cause(diagnosis, each)]


def _is_reported_with_cause(diagnosis: Diagnosis, finding: Examined) -> bool:
    reasons = diagnosis.explained.get(finding.check.name, ())
    return any(reason.partition(".")[0] == finding.check.group for reason in reasons)


def _print_finding(diagnosis: Diagnosis, number: int, finding: Examined, console: Console) -> None:
    outcome, name = finding.outcome, finding.check.name
    heading = Text(f"{number}. ", style="bold")
    heading.append(name, style=f"bold {_STYLES[outcome.status]}")
    reasons = diagnosis.reasons(name)
    if reasons:
        heading.append(f" (follows from {', '.join(reasons)})", style="dim")
    console.print(heading)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    table.add_row("expected", Text(finding.check.summary))
    table.add_row("seen", Text(outcome.seen))
    for other in diagnosis.findings:
        explained_by = diagnosis.explained.get(other.check.name, ())
        if name in explained_by and _is_reported_with_cause(diagnosis, other):
            table.add_row("with it", Text(f"{other.check.name}: {other.outcome.seen}"))
    if outcome.why:
        table.add_row("why", Text(outcome.why))
    if outcome.remedy:
        table.add_row("do", Text(outcome.remedy))
    for change in outcome.changes:
        table.add_row("set", Text(change, style="bold"))
    source = "; ".join(part for part in (outcome.read_more, finding.check.source) if part)
    if source:
        table.add_row("read", Text(source))
    console.print(Padding(table, (0, 0, 0, 3)))
