"""seqzoo plugins: every plugin that was found, where it is from, and what became of it"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from seqzoo.cli.options import AsJson

if TYPE_CHECKING:
    from seqzoo.plugin.registry import Found, Registry


def found_plugins(as_json: AsJson = False) -> None:
    """List all plugins, also the disabled and broken ones, with their packages and load times.

    SEQZOO_DISABLE=NAME disables a plugin, or all plugins of a package.

    SEQZOO_LOAD_PLUGINS=NAME loads no others, apart from the built-in ones.
    """
    from rich.table import Table
    from rich.text import Text

    from seqzoo.cli.plugins import installed
    from seqzoo.terminal.console import results
    from seqzoo.terminal.streams import write_data

    registry = installed()
    if as_json:
        write_data(json.dumps([_as_json(each, registry) for each in registry.found], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("plugin", "from", "state", "API", "ms", "declares, or why not"):
        # Folded and not cut: names and causes are copied.
        table.add_column(column, justify="right" if column == "ms" else "left", overflow="fold")
    for each in registry.found:
        owner = each.owner
        table.add_row(
            Text(owner.plugin),
            Text(owner.package),
            Text(each.status, style=_STYLES[each.status]),
            str(_api(each, registry) or ""),
            "" if each.status == "disabled" else f"{1000 * each.visit.seconds:.0f}",
            Text(each.cause or _declared(each, registry)),
        )
    results().print(table)


_SHOWN = 12
"""Names of one kind; `seqzoo list KIND` and --json have all of them."""

_STYLES = {"loaded": "", "disabled": "dim", "broken": "bold red"}


def _api(found: Found, registry: Registry) -> int | None:
    """The newest version of the plugin API that its declarations name; None without any."""
    return max((spec.api for spec in registry.declared_by(found.owner)), default=None)


def _declared(found: Found, registry: Registry) -> str:
    names: dict[str, list[str]] = {}
    for spec in registry.declared_by(found.owner):
        names.setdefault(spec.kind, []).append(spec.name)
    return "; ".join(
        f"{kind} {', '.join(of_kind[:_SHOWN])}"
        + (f" and {len(of_kind) - _SHOWN} more" if len(of_kind) > _SHOWN else "")
        for kind, of_kind in names.items()
    )


def _as_json(found: Found, registry: Registry) -> dict[str, Any]:
    owner = found.owner
    return {
        "plugin": owner.plugin,
        "distribution": owner.distribution,
        "version": owner.version,
        "status": found.status,
        "api": _api(found, registry),
        "declares": [
            {"kind": spec.kind, "name": spec.name} for spec in registry.declared_by(owner)
        ],
        "seconds": round(found.visit.seconds, 6),
        "imported_torch": found.visit.imported_torch,
        "changed": list(found.visit.changed),
        "earlier_forms": list(found.visit.earlier),
        "cause": found.cause,
    }
