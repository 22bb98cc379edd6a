"""seqzoo show [KIND] NAME"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson


def show(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[KIND] NAME",
            help="Name of a plugin or of a recipe, after its kind if two have the name; "
            "'seqzoo list' and 'seqzoo list recipe' show all names.",
            show_default=False,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show a recipe; or what a plugin is, its source, its package and its options."""
    from pydantic_core import to_jsonable_python
    from rich.table import Table
    from rich.text import Text

    from seqzoo.cli.plugins import installed
    from seqzoo.errors import UsageError, did_you_mean
    from seqzoo.plugin.choice import Kind
    from seqzoo.plugin.registry import PLUGIN_KINDS
    from seqzoo.recipes.shipped import shipped_recipes
    from seqzoo.terminal.console import results
    from seqzoo.terminal.streams import write_data

    *before, name = names
    kinds = ("recipe", *PLUGIN_KINDS)
    if len(before) > 1 or (before and before[0] not in kinds):
        hint = did_you_mean(before[0], kinds)
        raise UsageError(f"'{before[0]}' is not a kind; write 'seqzoo show [KIND] NAME'.{hint}")
    recipes = shipped_recipes() if before in ([], ["recipe"]) else {}
    if name in recipes:
        text = recipes[name].read_text(encoding="utf-8")
        write_data(json.dumps({"kind": "recipe", "name": name, "text": text}) if as_json else text)
        return
    registry = installed()
    found = [
        entry
        for kind in (PLUGIN_KINDS if not before else set(before) & set(PLUGIN_KINDS))
        for entry in registry.registered(kind)
        if entry.spec.name == name
    ]
    if not found:
        known = {other for kind in PLUGIN_KINDS for other in registry.names(kind)}
        meant = _as_run(name) or did_you_mean(name, known | set(recipes))
        raise UsageError(f"nothing named '{name}' is installed.{meant}")
    if as_json:
        write_data(
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
            marks = [mark for mark in field.metadata if isinstance(mark, Kind)]
            meaning += "".join(f" (chooses a plugin of kind {mark.kind})" for mark in marks)
            shown = "" if field.is_required() else json.dumps(to_jsonable_python(default))
            table.add_row(option, shown, Text(meaning))
        console.print(table)
        console.print()


def _as_run(name: str) -> str:
    """How to show the run with this path or name; "" if there is none."""
    from seqzoo.runs.listing import is_run
    from seqzoo.terminal.format import quoted

    found = any(is_run(path) for path in (Path(name), DEFAULT_RUNS / name))
    return f" It is a run; to show it: seqzoo runs show {quoted(name)}" if found else ""
