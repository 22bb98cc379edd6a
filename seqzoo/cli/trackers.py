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

    given: see `named_choice`. Raises UsageError for a value that has no option.
    """
    from seqzoo.cli.chosen import named_choice

    trackers = [named_choice(text, "tracker", registry).model_dump() for text in given or ()]
    return [f"trackers={json.dumps(trackers)}"] if trackers else []
