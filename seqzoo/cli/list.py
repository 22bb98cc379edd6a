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
            help="recipe, architecture, tokenizer, stream, optimizer, schedule, sampler, decoder, "
            "corpus, baseline, tracker, launcher or check; all plugins if omitted."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what plugins declare, with the package where it is not seqzoo's own, or the recipes."""
    from rich.table import Table
    from rich.text import Text

    from seqzoo.cli.plugins import installed
    from seqzoo.errors import UsageError, did_you_mean
    from seqzoo.plugin.registry import PLUGIN_KINDS, none_installed
    from seqzoo.terminal.console import note, results
    from seqzoo.terminal.streams import write_data

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
        write_data(
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
    own_checks = []
    if kind is None:  # they are many, and no recipe names them
        own_checks = [row for row in rows if row[0] == "check" and row[1].owner.is_built_in]
        rows = [row for row in rows if row not in own_checks]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("kind", "name", "summary"):
        table.add_column(column, no_wrap=column in ("kind", "name"))
    shown = None
    for each, entry in rows:
        summary = Text(entry.spec.summary)
        if not entry.owner.is_built_in:
            summary.append(f"{' ' if summary else ''}(from {entry.owner.package})", style="dim")
        table.add_row(each if each != shown else "", Text(entry.spec.name), summary)
        shown = each
    if own_checks:
        of_doctor = f"the {len(own_checks)} checks of the doctor; seqzoo list check shows them"
        table.add_row("check" if shown != "check" else "", "...", of_doctor)
    results().print(table)


def _list_recipes(*, as_json: bool) -> None:
    from rich.table import Table

    from seqzoo.cli.plugins import installed
    from seqzoo.recipes.load import load_recipe
    from seqzoo.recipes.shipped import shipped_recipes
    from seqzoo.terminal.console import results
    from seqzoo.terminal.streams import write_data

    registry = installed()
    rows = []
    for name, path in shipped_recipes().items():
        recipe = load_recipe(path, registry)
        architecture = recipe.architecture.name
        rows.append({"name": name, "architecture": architecture, "description": recipe.description})
    if as_json:
        write_data(json.dumps(rows, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("recipe", "architecture", "description"):
        table.add_column(column, no_wrap=column == "recipe")
    for row in rows:
        table.add_row(*row.values())
    results().print(table)
