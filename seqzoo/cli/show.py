"""seqzoo show NAME"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seqzoo.cli.options import AsJson


def show(
    name: Annotated[str, typer.Argument(help="Name of a plugin; seqzoo list shows all names.")],
    as_json: AsJson = False,
) -> None:
    """Show what a plugin is, its source, its package and its options."""
    from rich.table import Table
    from rich.text import Text

    from seqzoo.cli.plugins import installed
    from seqzoo.errors import UsageError, did_you_mean
    from seqzoo.plugin.registry import PLUGIN_KINDS
    from seqzoo.terminal.console import results

    registry = installed()
    found = [
        entry
        for kind in PLUGIN_KINDS
        for entry in registry.registered(kind)
        if entry.spec.name == name
    ]
    if not found:
        known = {other for kind in PLUGIN_KINDS for other in registry.names(kind)}
        raise UsageError(f"nothing named '{name}' is installed.{did_you_mean(name, known)}")
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "kind": entry.spec.kind,
                        "name": name,
                        "summary": entry.spec.summary,
                        "source": entry.spec.source,
                        "distribution": entry.owner.distribution,
                        "version": entry.owner.version,
                        "options": entry.spec.options.model_json_schema(),
                    }
                    for entry in found
                ],
                indent=2,
            )
        )
        return
    console = results()
    for entry in found:
        console.print(Text.assemble((name, "bold"), f"  {entry.spec.kind}: {entry.spec.summary}"))
        if entry.spec.source:
            console.print(Text(f"source: {entry.spec.source}"))
        console.print(Text(f"from plugin {entry.owner}"))
        if not entry.spec.options.model_fields:
            console.print("no options\n")
            continue
        properties = entry.spec.options.model_json_schema().get("properties", {})
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("option", "default", "meaning"):
            table.add_column(column, no_wrap=column == "option")
        for option, field in entry.spec.options.model_fields.items():
            default = field.get_default(call_default_factory=True)
            meaning = properties.get(option, {}).get("description", "")
            shown = "" if field.is_required() else json.dumps(default, default=str)
            table.add_row(option, shown, Text(meaning))
        console.print(table)
        console.print()
