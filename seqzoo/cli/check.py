"""seqzoo check NAME|FILE|PACKAGE [-o option=value ...]"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from seqzoo.testing import BoundLaw, Finding, Tried


def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE|PACKAGE",
            help="A plugin or what it declares by name, such as lstm; a plugin file, such as "
            "./my_cell.py; or an installed package or module.",
            show_default=False,
        ),
    ],
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            metavar="OPTION=VALUE",
            help="An option of the plugin, which then stays as it is: for one that has no default, "
            "or to try one size. May be repeated.",
            show_default=False,
        ),
    ] = None,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough/--quick",
            help="More choices of options, longer texts, and laws that take long; or the usual.",
        ),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="A law, such as chunking or architecture.chunking; may be repeated.",
            show_default=False,
        ),
    ] = None,
    list_laws: Annotated[
        bool, typer.Option("--list", help="List the laws and do nothing else.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Try the laws of plugins on a plugin; show the smallest input that breaks one.

    Its options are drawn from its own schema. Exits with 0 if all laws hold, and with 6 if not.
    """
    options = _options(option or [])
    bound = _chosen(_laws(target, options, thorough=thorough), only or [])
    if list_laws:
        _print_laws(bound, as_json=as_json)
        return
    from seqzoo.terminal.console import messages, results
    from seqzoo.terminal.progress import meter

    tried: list[tuple[BoundLaw, Tried]] = []
    with meter("check", messages()) as display:
        for number, law in enumerate(bound):
            display.show(number / len(bound), law.name)
            tried.append((law, law.examine()))
        display.show(1.0, "")
    findings = [each.finding for _, each in tried if each.finding is not None]
    if as_json:
        print(json.dumps(_as_data(target, tried), indent=2, default=_plain))
    else:
        _print(target, tried, findings, results())
    if findings:
        raise typer.Exit(6)


def _options(texts: list[str]) -> dict[str, Any]:
    """`option=value` as values; a value is read as YAML, as in a recipe."""
    from seqzoo.errors import RecipeError, UsageError
    from seqzoo.recipes.yaml_reader import load_yaml

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"-o is '{text}', expected option=value, such as hidden_size=8.")
        try:
            found[name], _ = load_yaml(value or "null", "")
        except RecipeError:
            found[name] = value
    return found


def _laws(target: str, options: Mapping[str, Any], *, thorough: bool) -> list[BoundLaw]:
    from seqzoo.testing import laws

    if hint := _of_recipe_or_run(target):
        from seqzoo.errors import UsageError

        raise UsageError(hint)
    bound = laws(target, options=options, thorough=thorough)
    for declared in {id(each.declared): each.declared for each in bound}.values():
        declared.require_options()
    return bound


def _of_recipe_or_run(target: str) -> str:
    """What to type for a recipe or a run that was given by mistake; "" for anything else."""
    from seqzoo.recipes.shipped import find_recipe
    from seqzoo.terminal.format import quoted

    try:
        path = Path(target)
        runs = [folder for folder in (path, DEFAULT_RUNS / path) if _is_run(folder)]
        is_recipe = path.suffix in (".yaml", ".yml") or find_recipe(path).suffix == ".yaml"
    except (OSError, ValueError):
        return ""
    if is_recipe:
        return f"{target} is a recipe; to examine it: seqzoo doctor {quoted(target)}"
    if runs:
        return f"{target} is a run; to examine it: seqzoo doctor {quoted(runs[0])}"
    return ""


def _is_run(folder: Path) -> bool:
    return (folder / "recipe.yaml").is_file()


def _chosen(bound: list[BoundLaw], only: list[str]) -> list[BoundLaw]:
    """The laws that are named, by any of their names. Raises UsageError for another name."""
    from seqzoo.errors import UsageError, did_you_mean

    if not only:
        return bound
    names = {name for each in bound for name in _names(each)}
    for name in only:
        if name not in names:
            raise UsageError(f"--only: there is no law '{name}' here.{did_you_mean(name, names)}")
    return [each for each in bound if set(_names(each)) & set(only)]


def _names(law: BoundLaw) -> tuple[str, str, str]:
    return law.law.what, law.law.name, law.name


def _print_laws(bound: list[BoundLaw], *, as_json: bool) -> None:
    from rich.table import Table

    from seqzoo.terminal.console import results

    laws = {each.law.name: each.law for each in bound}.values()
    if as_json:
        print(json.dumps([{"name": each.name, "says": each.says} for each in laws], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("law", no_wrap=True)
    table.add_column("what holds")
    for each in laws:
        table.add_row(each.name, each.says)
    results().print(table)


def _print(
    target: str,
    tried: list[tuple[BoundLaw, Tried]],
    findings: list[Finding],
    console: Console,
) -> None:
    from rich.padding import Padding
    from rich.text import Text

    for title, results in _by_declaration(tried):
        console.print(Text(title, style="bold"))
        console.print(Padding(_facts(_facts_of(results)), (0, 0, 0, 2)))
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
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))
    return table


def _by_declaration(
    tried: list[tuple[BoundLaw, Tried]],
) -> Iterator[tuple[str, list[tuple[BoundLaw, Tried]]]]:
    """The results in groups, by what they are about."""
    groups: dict[int, list[tuple[BoundLaw, Tried]]] = {}
    for law, result in tried:
        groups.setdefault(id(law.declared), []).append((law, result))
    for results in groups.values():
        yield results[0][0].declared.title, results


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
    held = f"{counts['holds']} of {_counted(len(tried), 'law')} hold"
    skipped = f", {counts['skip']} skipped" if counts["skip"] else ""
    if not findings:
        return f"{target}: {held}{skipped}."
    return f"{target}: {held}, {counts['broken']} broken{skipped}; fix first: {findings[0].law}."


def _as_data(target: str, tried: list[tuple[BoundLaw, Tried]]) -> dict[str, Any]:
    return {
        "target": target,
        "healthy": all(each.finding is None for _, each in tried),
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


def _plain(value: Any) -> str:
    """What JSON does not have: bytes, as Python writes them."""
    return repr(value)
