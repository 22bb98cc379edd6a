"""Make a Recipe: read YAML or a mapping, apply overrides, check the sections and plugin options.

All mistakes in the sections and in the options are reported at once, each with its place.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from seqzoo.errors import PluginError, Problem, RecipeError, UsageError, did_you_mean
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.plugin.specs import Options, Spec
from seqzoo.recipes.choices import (
    check_options,
    named_plugins,
    unknown_baselines,
    with_options,
    without_link_options,
)
from seqzoo.recipes.overrides import Overrides, apply_overrides, retype
from seqzoo.recipes.python_data import DottedMarks, plain_data
from seqzoo.recipes.sections import BudgetSection, RecipeSections
from seqzoo.recipes.validation import Mistake, check, describe
from seqzoo.recipes.yaml_reader import MAX_BYTES, DataPath, Mark, Marks, load_yaml
from seqzoo.recipes.yaml_scalars import dump_yaml

__all__ = [
    "Recipe",
    "load_recipe",
    "options_from",
    "parse_recipe",
    "plugin_options",
    "recipe",
    "recipe_from",
]

# An override of one of these replaces the others.
_BUDGET = [("train", "budget", unit) for unit in BudgetSection.alternatives()]

Model = TypeVar("Model", bound=BaseModel)


class Recipe(RecipeSections):
    """A checked recipe: the sections, each choice's `options` an instance of its plugin's Options.

    base: the folder that relative paths start from.
    registry: the plugins that it can name, those of its plugin files included.
    Two recipes are equal if their content is equal; base and registry are not compared.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    base: Path = Field(repr=False)
    registry: Registry = Field(repr=False)

    def to_yaml(self) -> str:
        """The recipe with all defaults as YAML; `parse_recipe` makes an equal recipe of it."""
        return dump_yaml(self._plain())

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides the weights, except the seed and the corpus.

        Runs that share it differ by chance only. Results name their corpus by its own hash.
        """
        data = self._plain()
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
        for later in ("stream", "start_from"):  # fields that older recipes did not have
            if data["train"][later] is None:
                del data["train"][later]
        data["runtime"] = data["runtime"]["precision"]
        # Different ways to write the same recipe have one hash.
        stages, optimizer = data["train"]["bptt_length"], data["train"]["optimizer"]
        if isinstance(stages, list) and len(stages) == 1:
            data["train"]["bptt_length"] = stages[0]["length"]
        if optimizer["name"] == "adamw":
            del optimizer["matrix_learning_rate"], optimizer["momentum"]
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()

    def _plain(self) -> dict[str, Any]:
        data = self.model_dump(mode="json", by_alias=True, exclude={"base", "registry"})
        budget = data["train"]["budget"].items()
        data["train"]["budget"] = {unit: spent for unit, spent in budget if spent is not None}
        chain = data["sample"]["chain"]
        data["sample"]["chain"] = [{link["name"]: link["options"]} for link in chain]
        return data

    def __eq__(self, other: object) -> bool:
        return self._plain() == other._plain() if isinstance(other, Recipe) else NotImplemented


def recipe(
    source: str | os.PathLike[str] | Mapping[str, Any] | Recipe,
    overrides: Overrides = (),
    *,
    registry: Registry | None = None,
) -> Recipe:
    """A checked recipe from a YAML file, or from a mapping with the same content.

    source: relative paths in a file start from its folder, those in a mapping from the working
    directory. A Recipe is checked again, with the overrides.
    overrides: values by dotted path, `{"train.batch_size": 16}`, or `train.batch_size=16` as text.
    registry: the plugins that the recipe can use; None for all that are installed.
    Raises UsageError where there is no readable file, RecipeError with all problems of the recipe.
    """
    if isinstance(overrides, str):
        overrides = (overrides,)
    if isinstance(source, Recipe):
        if not overrides:
            return source
        data, _ = load_yaml(source.to_yaml(), "the recipe")
        return recipe_from(data, registry or source.registry, base=source.base, overrides=overrides)
    plugins = load_registry() if registry is None else registry
    if isinstance(source, Mapping):
        return recipe_from(source, plugins, base=Path.cwd(), overrides=overrides)
    return load_recipe(Path(source), plugins, overrides=overrides)


def load_recipe(path: Path, registry: Registry, *, overrides: Overrides = ()) -> Recipe:
    """Read, override and check a recipe file; relative paths in it start from its folder.

    overrides: each is checked like the file's own content.
    Raises UsageError where there is no readable YAML file, RecipeError for what it says.
    """
    name = describe(str(path))
    try:
        if path.is_dir():
            inside = did_you_mean("", [file.name for file in path.iterdir() if _is_yaml(file)])
            raise UsageError(f"recipe {name} is a directory, expected a YAML file.{inside}")
        if path.exists() and not _is_yaml(path):
            hint = _nearest(path)
            raise UsageError(f"recipe {name} is not a YAML file; its name must end in .yaml.{hint}")
        with path.open("rb") as file:
            # One byte more than is allowed shows that a file is too large without reading all.
            text = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"recipe {name} does not exist.{_nearest(path)}") from None
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"recipe {name} cannot be read: {cause}.") from error
    return parse_recipe(text, registry, source=str(path), base=path.parent, overrides=overrides)


def parse_recipe(
    text: str | bytes,
    registry: Registry,
    *,
    source: str,
    base: Path,
    overrides: Overrides = (),
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
        raise UsageError(f"{source} is the grid of a sweep; run it with 'seqzoo sweep {source}'.")
    return _checked_recipe(data, marks, registry, base=base, overrides=overrides)


def recipe_from(
    data: Mapping[str, Any], registry: Registry, *, base: Path, overrides: Overrides = ()
) -> Recipe:
    """Check a recipe that is given as a mapping, which is not changed; see `parse_recipe`.

    Problems name the dotted path of their place.
    """
    return _checked_recipe(
        plain_data(data), DottedMarks(), registry, base=base, overrides=overrides
    )


def _checked_recipe(
    data: dict[str, Any], marks: Marks, registry: Registry, *, base: Path, overrides: Overrides
) -> Recipe:
    typed, problems = apply_overrides(data, marks, overrides=overrides, exclusive=[_BUDGET])
    registry = registry.copy()
    file_mistakes = _load_plugin_files(data.get("plugins"), registry, base)
    sections, options, mistakes = _check(data, registry)
    if retype(data, typed, paths=[mistake.path for mistake in mistakes if mistake.wants_text]):
        sections, options, mistakes = _check(data, registry)
    problems += _problems(file_mistakes + mistakes, marks)
    if problems or sections is None:
        raise RecipeError(problems)
    filled = with_options(sections, options)
    fields = {name: getattr(filled, name) for name in RecipeSections.model_fields}
    return Recipe(**fields, base=base, registry=registry)


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
    options, mistakes = check(model, data)
    if retype(data, typed, paths=[mistake.path for mistake in mistakes if mistake.wants_text]):
        options, mistakes = check(model, data)
    problems += _problems(mistakes, marks)
    if problems or options is None:
        raise RecipeError(problems)
    return options


def _check(
    data: dict[str, Any], registry: Registry
) -> tuple[RecipeSections | None, dict[DataPath, Options], list[Mistake]]:
    """The core's sections, the options of every plugin by the path of its choice, and mistakes."""
    options: dict[DataPath, Options] = {}
    mistakes: list[Mistake] = []
    for named in named_plugins(data):
        if isinstance(named, Mistake):
            mistakes.append(named)
            continue
        checked, found = check_options(named, registry)
        mistakes += found
        if checked is not None:
            options[named.path] = checked
    sections, found = check(RecipeSections, without_link_options(data))
    if sections is not None:
        found += unknown_baselines(sections.baselines, registry)
    return sections, options, found + mistakes


def _load_plugin_files(files: Any, registry: Registry, base: Path) -> list[Mistake]:
    """Load a recipe's plugin files into `registry`; what is not text is checked elsewhere."""
    mistakes = []
    for index, file in enumerate(files if isinstance(files, list) else []):
        if isinstance(file, str):
            try:
                registry.add_file(base / file)
            except PluginError as error:
                mistakes.append(Mistake(("plugins", index), str(error)))
    return mistakes


def _problems(mistakes: Iterable[Mistake], marks: Marks) -> list[Problem]:
    return [
        (marks.key if mistake.at_key else marks.value)(mistake.path).problem(mistake.message)
        for mistake in mistakes
    ]


def _nearest(path: Path) -> str:
    """A hint with the closest name of a recipe in the folder of `path`."""
    try:
        beside = [entry.name for entry in path.parent.iterdir() if _is_yaml(entry)]
    except (OSError, ValueError):
        return ""
    return did_you_mean(path.name, beside)


def _is_yaml(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml")
