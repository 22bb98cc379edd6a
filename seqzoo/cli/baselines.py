"""The option --baselines, which replaces the section `baselines` of the recipe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from seqzoo.recipes.sections import BaselinesSection

__all__ = ["Baselines", "baselines_override", "baselines_section"]

Baselines: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="none|fast|all",
        help="Baselines to score: none, those that take about 5 s together, or all of them; "
        "default: the recipe's setting, which leaves out what takes longer than the training.",
        show_default=False,
    ),
]

_SETTINGS: dict[str, dict[str, Any]] = {
    "none": {"include": [], "add": []},
    "fast": {"max_seconds": 5},
    "all": {"max_seconds": "unlimited"},
}


def baselines_override(asked: str | None) -> list[str]:
    """The override of a recipe that does what was asked; none if nothing was.

    Raises UsageError for another word.
    """
    if asked is None:
        return []
    return [f"baselines={json.dumps(_setting(asked))}"]


def baselines_section(asked: str | None) -> BaselinesSection | None:
    """The section that does what was asked; None if nothing was. Raises UsageError."""
    from seqzoo.recipes.sections import BaselinesSection

    return None if asked is None else BaselinesSection(**_setting(asked))


def _setting(asked: str) -> dict[str, Any]:
    from seqzoo.errors import UsageError, did_you_mean

    if asked not in _SETTINGS:
        raise UsageError(f"--baselines is '{asked}'.{did_you_mean(asked, _SETTINGS)}")
    return _SETTINGS[asked]
