"""The arguments that name a recipe and the user's own text, for several commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = ["RecipeArgument", "Texts", "recipe_names", "require_settings"]


def recipe_names(incomplete: str) -> list[str]:
    """What can complete the name of a recipe in the shell: shipped recipes and files."""
    from seqzoo.recipes.shipped import shipped_recipes

    folder = Path(incomplete).parent if "/" in incomplete else Path()
    files = [str(path) for path in folder.glob("*.y*ml")]
    return [name for name in [*shipped_recipes(), *files] if name.startswith(incomplete)]


RecipeArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="A recipe: a YAML file, or a name from 'seqzoo list recipe', e.g. quick.",
        autocompletion=recipe_names,
        show_default=False,
    ),
]
Texts: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        help="Your own text instead of the recipe's: a file, a folder, a quoted pattern such as "
        "'notes/*.md', or - for stdin; may be repeated.",
        show_default=False,
    ),
]


def require_settings(overrides: Sequence[str], texts: Sequence[str]) -> None:
    """Raises UsageError where the shell has expanded a pattern after --text."""
    from seqzoo.errors import UsageError

    files = [given for given in overrides if "=" not in given and Path(given).exists()]
    if texts and files:
        raise UsageError(
            f"'{files[0]}' is a file, expected a setting such as train.batch_size=16; write "
            f"--text before every file, or quote the pattern: --text 'notes/*.md'"
        )
