"""seqzoo list [KIND]: the installed plugins, and the recipes that come with seqzoo"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seqzoo.cli.options import AsJson


def list_plugins(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="recipe, architecture, tokenizer, stream, optimizer, schedule, sampler, corpus, "
            "baseline, tracker or check; all plugins if omitted."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the installed plugins and the packages that they come from, or the recipes."""
    from rich.table import Table

    from seqzoo.cli.plugins import installed
    from seqzoo.errors import UsageError, did_you_mean
    from seqzoo.plugin.registry import PLUGIN_KINDS, none_installed
    from seqzoo.terminal.console import note, results

    kinds = ("recipe", *PLUGIN_KINDS)
    if kind is not None and kind not in kinds and kind.removesuffix("s") in kinds:
        kind = kind.removesuffix("s")
    if kind is not None and kind not in kinds:
        raise UsageError(f"'{kind}' is not a kind of plugin.{did_you_mean(kind, kinds)}")
    if kind == "recipe":
        _list_recipes(as_json=as_json)
        return
    registry = installed()
    rows = [
        (each, entry)
        for each in ([kind] if kind else PLUGIN_KINDS)
        for entry in registry.registered(each)
    ]
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "kind": each,
                        "name": entry.spec.name,
                        "summary": entry.spec.summary,
                        "source": entry.spec.source,
                        "plugin": entry.owner.plugin,
                        "distribution": entry.owner.distribution,
                        "version": entry.owner.version,
                    }
                    for each, entry in rows
                ],
                indent=2,
            )
        )
        return
    if kind is not None and not rows:
        note(none_installed(kind))
        return
    console = results()
    table = Table(box=None, pad_edge=False, header_style="bold")
    wide = console.width >= 100
    for column in ("kind", "name", "summary", *(["from"] if wide else [])):
        table.add_column(column, no_wrap=column in ("kind", "name"))
    shown = None
    for each, entry in rows:
        package = f"{entry.owner.distribution} {entry.owner.version}".strip()
        cells = [each if each != shown else "", entry.spec.name, entry.spec.summary]
        table.add_row(*cells, *([package] if wide else []))
        shown = each
    console.print(table)


def _list_recipes(*, as_json: bool) -> None:
    from rich.table import Table

    from seqzoo.cli.plugins import installed
    from seqzoo.recipes.load import load_recipe
    from seqzoo.recipes.shipped import shipped_recipes
    from seqzoo.terminal.console import results

    registry = installed()
    rows = []
    for name, path in shipped_recipes().items():
        recipe = load_recipe(path, registry)
        architecture = recipe.architecture.name
        rows.append({"name": name, "architecture": architecture, "description": recipe.description})
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("recipe", "architecture", "description"):
        table.add_column(column, no_wrap=column == "recipe")
    for row in rows:
        table.add_row(*row.values())
    results().print(table)
