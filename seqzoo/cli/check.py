"""seqzoo check NAME|FILE|PACKAGE [-o option=value ...]"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson

if TYPE_CHECKING:
    from seqzoo.testing import BoundLaw, Tried


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
    from seqzoo.cli.check_report import as_data, findings_of, plain, print_report
    from seqzoo.terminal.console import messages, results
    from seqzoo.terminal.progress import meter
    from seqzoo.terminal.streams import write_data

    tried: list[tuple[BoundLaw, Tried]] = []
    with meter("check", messages()) as display:
        for number, law in enumerate(bound):
            display.show(number / len(bound), law.name)
            tried.append((law, law.examine()))
        speeds = {} if only else _speeds(tried, lambda name: display.show(1.0, f"{name}: speed"))
        display.show(1.0, "")
    if as_json:
        write_data(json.dumps(as_data(target, tried, speeds), indent=2, default=plain))
    else:
        print_report(target, tried, speeds, results())
    if findings_of(tried):
        raise typer.Exit(6)


def _speeds(tried: list[tuple[BoundLaw, Tried]], watch: Callable[[str], None]) -> dict[str, str]:
    """How fast each architecture is, in words, by its full name; of those that can be called."""
    from seqzoo.cli.check_report import by_declaration

    found: dict[str, str] = {}
    for declared, results in by_declaration(tried):
        is_broken = any(law.law.is_gate and each.finding is not None for law, each in results)
        if declared.given.spec.kind != "architecture" or is_broken:
            continue
        from seqzoo.testing.architectures.speed import speed_beside_lstm

        watch(declared.name)
        with contextlib.suppress(Exception):  # whatever is wrong with it, the laws have said it
            found[declared.name] = speed_beside_lstm(declared.default())
    return found


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
    from seqzoo.terminal.streams import write_data

    laws = {each.law.name: each.law for each in bound}.values()
    if as_json:
        write_data(json.dumps([{"name": each.name, "says": each.says} for each in laws], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("law", no_wrap=True)
    table.add_column("what holds")
    for each in laws:
        table.add_row(each.name, each.says)
    results().print(table)
