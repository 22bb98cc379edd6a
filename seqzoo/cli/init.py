"""seqzoo init [RECIPE] [FILE] [--text TEXT]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqzoo.cli.recipes import RecipeArgument, Texts
from seqzoo.cli.trust import TrustOption, with_trust

if TYPE_CHECKING:
    from seqzoo.recipes.load import Recipe
    from seqzoo.recipes.yaml_reader import DataPath


def init(
    recipe: RecipeArgument = "quick",
    file: Annotated[
        Path | None,
        typer.Argument(help="Name of the copy; default: NAME.yaml.", show_default=False),
    ] = None,
    text: Texts = None,
    trust: TrustOption = False,
) -> None:
    """Copy a recipe into a file of your own, to change it.

    seqzoo init quick mine.yaml --text notes.txt
    """
    from seqzoo.cli.plugins import installed
    from seqzoo.data.corpus import open_data
    from seqzoo.data.prompt import prompt_from
    from seqzoo.errors import UsageError
    from seqzoo.recipes.edited import with_values, without_header, without_section
    from seqzoo.recipes.load import load_recipe
    from seqzoo.recipes.sections import can_name_run
    from seqzoo.recipes.shipped import find_recipe
    from seqzoo.storage import write_new
    from seqzoo.terminal.console import note, warn
    from seqzoo.terminal.format import quoted

    source = find_recipe(recipe)
    target = file if file is not None else Path(source.stem + ".yaml")
    if target.suffix not in (".yaml", ".yml"):
        as_text = f" To use it as text, type: seqzoo init {quoted(recipe)} --text {quoted(target)}"
        raise UsageError(
            f"'{target}' is not the name of a recipe; it must end in .yaml."
            f"{as_text if target.exists() else ''}"
        )
    if not target.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {target.absolute().parent}; make it first.")
    checked = load_recipe(source, with_trust(installed(), trust), texts=text)
    prompt = ""
    if text:
        data = open_data(checked, announce=warn)
        prompt = prompt_from(data.splits.validation.bytes)
    folder = target.absolute().parent
    # Comments above a recipe say what it gives; the copy is another one.
    read = without_header(
        source.read_text(encoding="utf-8-sig"), keep=lambda line: _finds_schema(line, folder)
    )
    if text:
        read = without_section(read, "description")
    changes = _changes(checked, read, folder)
    if can_name_run(target.stem):
        changes["name",] = target.stem
    if text:
        changes["sample", "prompt"] = prompt
    try:
        write_new(target, with_values(read, changes))
    except FileExistsError:
        raise UsageError(
            f"{target} already exists and was not changed. Choose another name: "
            f"seqzoo init {quoted(recipe)} FILE"
        ) from None
    note(f"{target} is a copy of '{recipe}'. Edit it, then type: seqzoo run {quoted(target)}")


def _finds_schema(line: str, folder: Path) -> bool:
    """Whether a comment names a JSON Schema for editors that is there, from this folder."""
    schema = line.partition("$schema=")[2].strip()
    is_for_editors = line.startswith("# yaml-language-server:")
    return is_for_editors and bool(schema) and (folder / schema).is_file()


def _changes(recipe: Recipe, read: str, folder: Path) -> dict[DataPath, Any]:
    """Values that differ in a copy: the text, a prompt for it, and paths, from the new folder."""
    from seqzoo.recipes.paths import change_paths, expanded, recipe_paths
    from seqzoo.recipes.yaml_reader import load_yaml

    data, _ = load_yaml(read, "the recipe")
    changes: dict[DataPath, Any] = {}

    def moved(place: DataPath, value: str) -> str:
        path = (recipe.base / expanded(value)).resolve()
        near = folder.resolve()
        changes[place] = str(path.relative_to(near) if path.is_relative_to(near) else path)
        return str(changes[place])

    if recipe.is_own_text:
        options = recipe.corpus.options.model_dump(mode="json", exclude_unset=True)
        split = {key: data["corpus"][key] for key in ("split",) if key in data["corpus"]}
        data["corpus"] = {"name": recipe.corpus.name, "options": options, **split}
    change_paths(data, recipe_paths(data, recipe.registry), moved)
    if recipe.is_own_text:
        changes = {place: value for place, value in changes.items() if place[0] != "corpus"}
        changes["corpus",] = data["corpus"]
    return changes
