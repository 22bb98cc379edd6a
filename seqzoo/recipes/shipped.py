"""The recipes that come with seqzoo, found by name from any folder, and the text of a recipe file.

They are the files of recipes/ in the repository. A wheel has them in the package, as
seqzoo/shipped_recipes/ (pyproject.toml).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from seqzoo.errors import UsageError, did_you_mean
from seqzoo.recipes.validation import describe
from seqzoo.recipes.yaml_reader import MAX_BYTES
from seqzoo.regular_files import open_to_read
from seqzoo.terminal.format import quoted

__all__ = ["find_recipe", "recipe_text", "shipped_recipes"]


def shipped_recipes() -> dict[str, Path]:
    """The file of each shipped recipe by its name, sorted."""
    package = Path(__file__).parents[1]
    packed = package / "shipped_recipes"
    folder = packed if packed.is_dir() else package.parent / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_recipe(given: str | os.PathLike[str], *, folder: Path = Path()) -> Path:
    """The file of a recipe: a path, or the name of a shipped recipe.

    A word without a separator and an ending is a name, unless it is a file. folder: where relative
    paths start.
    """
    path = folder / Path(given)
    if _is_word(given) and not os.path.isfile(path):
        return shipped_recipes().get(os.fspath(given), path)
    return path


def recipe_text(path: Path) -> bytes:
    """The content of a recipe file. Raises UsageError, with the nearest name, if there is none."""
    name = describe(str(path))
    try:
        if path.is_dir():
            inside = did_you_mean("", [file.name for file in _beside(path / "x")])
            raise UsageError(
                f"recipe {name} is a folder, expected a YAML file.{inside} {_as_text(path)}"
            )
        if path.exists() and not _is_yaml(path):
            raise UsageError(
                f"recipe {name} is not a YAML file; its name must end in .yaml.{_nearest(path)} "
                f"{_as_text(path)}"
            )
        with open_to_read(path) as file:
            # One byte more than is allowed shows that a file is too large without reading all.
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        full = "".join(c if c.isprintable() else "\ufffd" for c in str(path.absolute()))
        shown = f"'{full}'" if path.is_absolute() else f"{name} ({full})"
        raise UsageError(f"recipe {shown} does not exist.{_nearest(path)}") from None
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"recipe {name} cannot be read: {cause}.") from error


def _as_text(path: Path) -> str:
    return f"To train on it as text: seqzoo run quick --text {quoted(path)}"


def _is_word(given: str | os.PathLike[str]) -> bool:
    path = Path(given)
    return os.fspath(given) == path.name and not path.suffix


def _nearest(path: Path) -> str:
    """A hint with a shipped recipe, or with the closest name of a recipe in the path's folder."""
    shipped, beside = shipped_recipes(), [entry.name for entry in _beside(path)]
    hint = did_you_mean(path.name, beside)
    if path.stem in shipped and "Did you mean" not in hint:
        return f" The recipe '{path.stem}' comes with seqzoo; give its name, without a path."
    return did_you_mean(path.name, [*beside, *shipped]) if _is_word(path) else hint


def _beside(path: Path) -> Iterator[Path]:
    try:
        yield from (entry for entry in path.parent.iterdir() if _is_yaml(entry))
    except (OSError, ValueError):
        return


def _is_yaml(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml")
