"""The option --tracker, which replaces the trackers of the recipe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from seqzoo.plugin.registry import Registry

__all__ = ["TrackerOption", "trackers_override"]

TrackerOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--tracker",
        metavar="NAME[=VALUE]",
        help="Also send the metrics to a tracker, e.g. --tracker csv or --tracker csv=table.csv; "
        "may be repeated, and replaces those of the recipe. 'seqzoo list trackers' shows them.",
        show_default=False,
    ),
]


def trackers_override(given: Sequence[str] | None, registry: Registry) -> list[str]:
    """The override of a recipe that does what was given; none if nothing was.

    given: NAME, NAME=VALUE with the value of its shorthand option, or NAME={option: value}. Raises
    UsageError for a value that has no option.
    """
    from seqzoo.errors import UsageError
    from seqzoo.recipes.yaml_reader import load_yaml

    trackers = []
    for text in given or ():
        name, equals, written = (part.strip() for part in text.partition("="))
        options, _ = load_yaml(written or "null", f"--tracker '{text}'") if equals else ({}, None)
        if not isinstance(options, dict):
            shorthand = registry.get("tracker", name).options.shorthand
            if shorthand is None:
                raise UsageError(
                    f"--tracker '{text}': tracker '{name}' needs its options by name, such as "
                    f"--tracker '{name}={{option: value}}'; 'seqzoo show {name}' lists them."
                )
            options = {shorthand: options}
        trackers.append({"name": name, "options": options})
    return [f"trackers={json.dumps(trackers)}"] if trackers else []
