"""seqzoo list [KIND]"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seqzoo.cli.options import AsJson


def list_plugins(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="architecture, tokenizer, stream, sampler, corpus, baseline, tracker or check; "
            "all of them if omitted."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the installed plugins and the packages that they come from."""
    from rich.table import Table

    from seqzoo.cli.plugins import installed
    from seqzoo.errors import UsageError, did_you_mean
    from seqzoo.plugin.registry import PLUGIN_KINDS, none_installed
    from seqzoo.terminal.console import note, results

    if kind is not None and kind not in PLUGIN_KINDS and kind.removesuffix("s") in PLUGIN_KINDS:
        kind = kind.removesuffix("s")
    if kind is not None and kind not in PLUGIN_KINDS:
        raise UsageError(f"'{kind}' is not a kind of plugin.{did_you_mean(kind, PLUGIN_KINDS)}")
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
