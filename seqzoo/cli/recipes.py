"""The arguments that name a recipe and the user's own text, for several commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from seqzoo.plugin.registry import Registry

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


def require_settings(
    recipe: str, overrides: Sequence[str], texts: Sequence[str], registry: Registry
) -> None:
    """Raises UsageError where a text was given in another way than with --text, or no recipe.

    registry: `corpus=NAME` is a setting if such a corpus is installed.
    """
    from seqzoo.errors import UsageError
    from seqzoo.terminal.format import quoted

    is_missing = "=" in recipe and not Path(recipe).exists()
    if is_missing:
        recipe, overrides = "quick", [recipe, *overrides]
    meant = {given: text for given in overrides if (text := _text_in(given, registry))}
    if not meant and is_missing:
        command = " ".join(map(quoted, ["seqzoo", "run", recipe, *overrides]))
        raise UsageError(f"the recipe is missing; for example: {command}")
    if not meant:
        return
    first = next(iter(meant))
    if texts and "=" not in first:
        raise UsageError(
            f"'{first}' is a file, expected a setting such as train.batch_size=16; write "
            f"--text before every file, or quote the pattern: --text 'notes/*.md'"
        )
    words = ["seqzoo", "run", recipe]
    words += [word for text in (*texts, *meant.values()) for word in ("--text", text)]
    words += [given for given in overrides if given not in meant]
    raise UsageError(
        f"'{first}' is not a setting such as train.batch_size=16. To train on your own text, type: "
        + " ".join(map(quoted, words))
    )


def _text_in(given: str, registry: Registry) -> str:
    """The file, folder or pattern that an override was meant to name; "" for a setting."""
    from glob import glob

    from seqzoo.recipes.sections import CorpusSection, RecipeSections

    key, equals, value = given.partition("=")
    text = value if equals else given
    if key == "text" and equals:
        return text or "FILE"
    if not (text == "-" or glob(text) or Path(text).exists()):
        return ""
    section, *inside = key.split(".")
    if not equals or section not in RecipeSections.model_fields:
        return text
    if section != "corpus":
        return ""
    if inside in ([], ["name"]):
        return "" if text in registry.names("corpus") else text
    return "" if inside[0] in CorpusSection.model_fields else text
