"""Make a Recipe: read YAML or a mapping, apply overrides, check the sections and plugin options.

All mistakes in the sections and in the options are reported at once, each with its place.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from seqzoo.errors import RecipeError, UsageError, require_type
from seqzoo.plugin.registry import Registry, installed_or
from seqzoo.plugin.specs import Spec
from seqzoo.recipes.checking import Checked, check_recipe, problems_at
from seqzoo.recipes.choices import with_names_as_mappings
from seqzoo.recipes.overrides import Overrides, apply_overrides, retype
from seqzoo.recipes.own_text import Texts, texts_of
from seqzoo.recipes.paths import locate, option_paths
from seqzoo.recipes.python_data import DottedMarks, plain_data
from seqzoo.recipes.sections import RecipeSections
from seqzoo.recipes.shipped import find_recipe, recipe_text
from seqzoo.recipes.validation import Mistake, check, describe
from seqzoo.recipes.written import as_written
from seqzoo.recipes.yaml_reader import Mark, Marks, load_yaml
from seqzoo.recipes.yaml_scalars import dump_yaml
from seqzoo.terminal.format import quoted

__all__ = [
    "Recipe",
    "load_recipe",
    "options_from",
    "parse_recipe",
    "plugin_options",
    "recipe",
    "recipe_from",
]

Model = TypeVar("Model", bound=BaseModel)


class Recipe(RecipeSections):
    """A checked recipe: the sections, each choice's `options` an instance of its plugin's Options.

    base: the folder that relative paths start from.
    registry: the plugins that it can name, those of its plugin files included.
    is_own_text: the user chose another corpus than the file's, and gave no prompt for it.
    Two recipes are equal if their content is equal; these three are not compared.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    base: Path = Field(repr=False)
    registry: Registry = Field(repr=False)
    is_own_text: bool = Field(default=False, repr=False)

    def to_yaml(self) -> str:
        """The recipe with all defaults as YAML; `parse_recipe` makes an equal recipe of it."""
        return dump_yaml(self.as_data())

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides the weights, except the seed and the corpus.

        Runs that share it differ by chance only. Results name their corpus by its own hash.
        """
        data = self.as_data()
        for section in (
            "name",
            "description",
            "corpus",
            "sample",
            "trackers",
            "evaluate",
            "baselines",
        ):
            del data[section]
        for field in ("seed", "checkpoint", "log_every_steps"):
            del data["train"][field]
        for later in ("stream", "start_from", "average"):  # fields that older recipes did not have
            if data["train"][later] is None:
                del data["train"][later]
        data["runtime"] = data["runtime"]["precision"]
        # Different ways to write the same recipe have one hash.
        stages = data["train"]["bptt_length"]
        if isinstance(stages, list) and len(stages) == 1:
            data["train"]["bptt_length"] = stages[0]["length"]
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()

    def as_data(self) -> dict[str, Any]:
        """The recipe with all defaults as plain data, as `to_yaml` writes it."""
        data = self.model_dump(
            mode="json", by_alias=True, exclude={"base", "registry", "is_own_text"}
        )
        budget = data["train"]["budget"].items()
        data["train"]["budget"] = {unit: spent for unit, spent in budget if spent is not None}
        return as_written(self, data)

    def __eq__(self, other: object) -> bool:
        return self.as_data() == other.as_data() if isinstance(other, Recipe) else NotImplemented


def recipe(
    source: str | os.PathLike[str] | Mapping[str, Any] | Recipe,
    overrides: Overrides = (),
    *,
    text: Texts | None = None,
    registry: Registry | None = None,
    trust: bool = False,
) -> Recipe:
    """A checked recipe from a YAML file, a name, or a mapping with the same content.

    source: a file, the name of a recipe that comes with seqzoo, such as "quick", or a mapping. A
    Recipe is checked again, with the overrides. Relative paths in a file start from its folder,
    all others from the working directory.
    overrides: values by dotted path, `{"train.batch_size": 16}`, or `train.batch_size=16` as text.
    text: your own text instead of the recipe's corpus: a file, a folder, a pattern such as
    "notes/*.md", "-" for stdin, or a list of them.
    registry: the plugins that the recipe can use; None for all that are installed.
    trust: let the plugin files run that a recipe file names; they are trusted from then on. Those
    that a mapping or an override names always run.
    Raises UsageError where there is no readable file, RecipeError with all problems of the recipe.
    """
    if isinstance(source, Recipe):
        if overrides in ((), [], {}) and text is None and not trust:
            return source
        data, _ = load_yaml(source.to_yaml(), "the recipe")
        changed = recipe_from(
            data,
            installed_or(registry or source.registry, trust=trust),
            base=source.base,
            overrides=overrides,
            texts=text,
            is_named=False,
        )
        is_own_text = changed.is_own_text or (
            source.is_own_text and source.sample.prompt == changed.sample.prompt
        )
        return changed.model_copy(update={"is_own_text": is_own_text})
    plugins = installed_or(registry, trust=trust)
    if isinstance(source, Mapping):
        return recipe_from(source, plugins, base=Path.cwd(), overrides=overrides, texts=text)
    expected = "a file, the name of a recipe such as 'quick', a mapping or a Recipe"
    require_type("recipe", source, (str, os.PathLike), expected=expected)
    return load_recipe(Path(source), plugins, overrides=overrides, texts=text)


def load_recipe(
    path: Path,
    registry: Registry,
    *,
    overrides: Overrides = (),
    texts: Texts | None = None,
    here: Path | None = None,
) -> Recipe:
    """Read, override and check a recipe; relative paths in its file start from the file's folder.

    path: a file, or the name of a recipe that comes with seqzoo.
    overrides: each is checked like the file's own content.
    texts: replace the recipe's corpus, see `own_text`.
    here: the folder that relative paths in overrides and texts start from; None for the working
    directory.
    Raises UsageError where there is no readable YAML file, RecipeError for what it says.
    """
    path = find_recipe(path)
    return parse_recipe(
        recipe_text(path),
        registry,
        source=str(path),
        base=path.parent,
        overrides=overrides,
        texts=texts,
        here=here,
    )


def parse_recipe(
    text: str | bytes,
    registry: Registry,
    *,
    source: str,
    base: Path,
    overrides: Overrides = (),
    texts: Texts | None = None,
    here: Path | None = None,
) -> Recipe:
    """Check a recipe's text; see `load_recipe`.

    source: the file that problems name. base: the folder that relative paths start from.
    registry: is not changed; the recipe has a copy to which its plugin files are added.
    """
    data, marks = load_yaml(text, source)
    if not isinstance(data, dict):
        message = f"a recipe is a mapping of sections, found {describe(data)}."
        raise RecipeError([marks.value(()).problem(message)])
    if "recipes" in data and "architecture" not in data:
        raise UsageError(
            f"{source} is the grid of a sweep; run it with: seqzoo sweep {quoted(source)}"
        )
    checked = check_recipe(
        data,
        marks,
        registry,
        base=base,
        overrides=overrides,
        texts=texts_of(texts),
        here=here or Path.cwd(),
    )
    return _recipe(checked, base)


def recipe_from(
    data: Mapping[str, Any],
    registry: Registry,
    *,
    base: Path,
    overrides: Overrides = (),
    texts: Texts | None = None,
    is_named: bool = True,
) -> Recipe:
    """Check a recipe that is given as a mapping, which is not changed; see `parse_recipe`.

    Problems name the dotted path of their place. is_named: whether the caller wrote the mapping.
    """
    checked = check_recipe(
        plain_data(data),
        DottedMarks(is_named=is_named),
        registry,
        base=base,
        overrides=overrides,
        texts=texts_of(texts),
        here=Path.cwd(),
    )
    return _recipe(checked, base)


def _recipe(checked: Checked, base: Path) -> Recipe:
    fields = {name: getattr(checked.sections, name) for name in RecipeSections.model_fields}
    return Recipe(**fields, base=base, registry=checked.registry, is_own_text=checked.is_own_text)


def plugin_options(spec: Spec, overrides: Sequence[str]) -> Any:
    """A plugin's options from `key=value`, checked as in a recipe. Raises RecipeError."""
    return options_from(spec.options, overrides, source=f"{spec.kind} '{spec.name}'")


def options_from(
    model: type[Model],
    overrides: Sequence[str],
    *,
    source: str,
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> Model:
    """An instance of `model` from `key=value`, checked as in a recipe. Raises RecipeError.

    source: what problems name if a value is missing. defaults: values that overrides can replace.
    """
    data = dict(defaults)
    marks = Marks()
    marks.values[()] = Mark(source, 0, 0)
    typed, problems = apply_overrides(data, marks, overrides=overrides)

    def checked() -> tuple[Model | None, list[Mistake]]:
        places = option_paths(data, model)
        empty = locate(data, places, here=Path.cwd(), is_override=lambda _: True)
        options, mistakes = check(model, with_names_as_mappings(model, data))
        return options, mistakes + empty

    options, mistakes = checked()
    if retype(data, typed, paths=[mistake.path for mistake in mistakes if mistake.wants_text]):
        options, mistakes = checked()
    problems += problems_at(mistakes, marks)
    if problems or options is None:
        raise RecipeError(problems)
    return options
