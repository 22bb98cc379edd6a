"""A recipe's plain data -> its sections with every plugin's options, or all of its problems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from seqzoo.errors import PluginError, Problem, RecipeError
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Options
from seqzoo.recipes.choices import (
    check_options,
    named_plugins,
    unknown_baselines,
    with_options,
    without_link_options,
)
from seqzoo.recipes.hints import with_hints
from seqzoo.recipes.layout import LAYOUT
from seqzoo.recipes.overrides import Overrides, apply_overrides, retype
from seqzoo.recipes.own_text import corpus_of
from seqzoo.recipes.paths import is_overridden, locate, recipe_paths
from seqzoo.recipes.sections import RecipeSections
from seqzoo.recipes.validation import Mistake, check
from seqzoo.recipes.yaml_reader import DataPath, Mark, Marks

__all__ = ["Checked", "check_recipe", "problems_at"]


class Checked(NamedTuple):
    """sections: each choice's `options` is an instance of its plugin's Options.

    registry: with the recipe's plugin files. is_own_text: see `Recipe`.
    """

    sections: RecipeSections
    registry: Registry
    is_own_text: bool


def check_recipe(
    data: dict[str, Any],
    marks: Marks,
    registry: Registry,
    *,
    base: Path,
    overrides: Overrides,
    texts: Sequence[str],
    here: Path,
) -> Checked:
    """Apply overrides and texts to a recipe's data, and check it; see `load_recipe`.

    data: is changed. registry: is not. Raises RecipeError with all problems.
    """
    typed, problems = apply_overrides(data, marks, overrides=overrides, layout=LAYOUT)
    registry = registry.copy()

    def find_paths() -> list[Mistake]:
        places = recipe_paths(data, registry)
        return locate(data, places, here=here, is_override=partial(is_overridden, marks))

    def checked() -> tuple[RecipeSections | None, dict[DataPath, Options], list[Mistake]]:
        empty = find_paths()
        sections, options, mistakes = _check(data, registry)
        return sections, options, mistakes + empty

    find_paths()  # those of the plugin files, which declare options that can be paths too
    file_mistakes = _load_plugin_files(data.get("plugins"), registry, base)
    if texts:
        _use_texts(texts, data, marks, registry, here)
    sections, options, mistakes = checked()
    if retype(data, typed, paths=[mistake.path for mistake in mistakes if mistake.wants_text]):
        sections, options, mistakes = checked()
    problems += problems_at(file_mistakes + with_hints(mistakes, data, marks, registry), marks)
    if problems or sections is None:
        raise RecipeError(problems)
    chosen = is_overridden(marks, ("corpus", "name"))
    return Checked(
        with_options(sections, options),
        registry,
        is_own_text=chosen and not is_overridden(marks, ("sample", "prompt")),
    )


def _use_texts(
    texts: Sequence[str], data: dict[str, Any], marks: Marks, registry: Registry, here: Path
) -> None:
    """Replace the corpus, and its fallback, by the one that opens the texts.

    Overrides of the corpus that do not choose it are kept.
    """
    for chosen in (("corpus",), ("corpus", "name")):
        mark = marks.values.get(chosen)
        if mark is not None and is_overridden(marks, chosen):
            raise RecipeError([mark.problem("the text chooses the corpus; give one of the two.")])
    section = data.get("corpus")
    own = section if isinstance(section, dict) else {}
    options = own.get("options")
    given = {
        key: value
        for key, value in (options if isinstance(options, dict) else {}).items()
        if is_overridden(marks, ("corpus", "options", key))
    }
    corpus = corpus_of(texts, registry, here=here, own=own)
    data["corpus"] = {**corpus, "options": {**corpus["options"], **given}}
    marks.values["corpus", "name"] = Mark("--text", 0, 0)


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
        if isinstance(file, str) and file.strip():
            try:
                registry.add_file((base / file).absolute())
            except PluginError as error:
                mistakes.append(Mistake(("plugins", index), str(error)))
    return mistakes


def problems_at(mistakes: Iterable[Mistake], marks: Marks) -> list[Problem]:
    return [
        (marks.key if mistake.at_key else marks.value)(mistake.path).problem(mistake.message)
        for mistake in mistakes
    ]
