"""A recipe's plain data -> its sections with every plugin's options, or all of its problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from seqzoo.errors import PluginError, Problem, RecipeError
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.trust import Code, PluginFile, Trust, UntrustedError
from seqzoo.recipes.baseline_names import wrong_baselines
from seqzoo.recipes.choices import (
    NamedPlugin,
    check_with_choices,
    flat_choices,
)
from seqzoo.recipes.commands import recipe_commands
from seqzoo.recipes.hints import with_hints
from seqzoo.recipes.layout import LAYOUT
from seqzoo.recipes.overrides import Overrides, apply_overrides, retype
from seqzoo.recipes.own_text import corpus_of
from seqzoo.recipes.paths import is_overridden, locate, recipe_paths
from seqzoo.recipes.sections import RecipeSections
from seqzoo.recipes.validation import Mistake
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

    data: is changed. registry: is not. Raises RecipeError with all problems, and UntrustedError
    for plugin files that may not run, or, in a recipe without mistakes, for commands.
    """
    before = flat_choices(data)
    typed, problems = apply_overrides(data, marks, overrides=overrides, layout=LAYOUT)
    registry = registry.copy()

    def find_paths() -> list[Mistake]:
        places = recipe_paths(data, registry)
        return locate(data, places, here=here, is_override=partial(is_overridden, marks))

    def checked() -> tuple[RecipeSections | None, list[Mistake]]:
        empty = find_paths()
        sections, mistakes = check_with_choices(RecipeSections, data, registry)
        if sections is not None:
            mistakes += wrong_baselines(sections.baselines, registry)
        return sections, mistakes + empty

    find_paths()  # those of the plugin files, which declare options that can be paths too
    file_mistakes = _load_plugin_files(data.get("plugins"), registry, base, marks)
    for named in before:
        _leave_out_foreign(named, data, marks, registry)
    if texts:
        _use_texts(texts, data, marks, registry, here)
    sections, mistakes = checked()
    if retype(data, typed, paths=[mistake.path for mistake in mistakes if mistake.wants_text]):
        sections, mistakes = checked()
    problems += problems_at(file_mistakes + with_hints(mistakes, data, marks, registry), marks)
    if problems or sections is None:
        raise RecipeError(problems)
    _require_trusted(recipe_commands(data, registry), registry.trust, marks)
    chosen = is_overridden(marks, ("corpus", "name"))
    return Checked(
        sections,
        registry,
        is_own_text=chosen and not is_overridden(marks, ("sample", "prompt")),
    )


def _leave_out_foreign(
    before: NamedPlugin, data: dict[str, Any], marks: Marks, registry: Registry
) -> None:
    """Where overrides replace a plugin, leave out its options that the new one does not have.

    Its options are beside those that both have, such as the learning rate, and these stay.
    """
    for named in flat_choices(data):
        if named.path != before.path or named.name == before.name:
            continue
        if not {named.name, before.name} <= set(registry.names(named.kind)):
            return
        old, new = (registry.get(named.kind, each.name).options for each in (before, named))
        foreign = set(old.model_fields) - set(new.model_fields)
        section: Any = data
        for part in named.path:
            section = section[part]
        for key in foreign & set(named.options):
            if not is_overridden(marks, (*named.path, key)):
                del section[key]


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


def _load_plugin_files(files: Any, registry: Registry, base: Path, marks: Marks) -> list[Mistake]:
    """Load a recipe's plugin files into `registry`; what is not text is checked elsewhere.

    Raises UntrustedError if one of them may not run; then none does.
    """
    mistakes, read = [], {}
    for index, file in enumerate(files if isinstance(files, list) else []):
        if isinstance(file, str) and file.strip():
            place, path = ("plugins", index), (base / file).absolute()
            try:
                read[place] = path, PluginFile.read(path)
            except PluginError as error:
                mistakes.append(Mistake(place, str(error)))
    _require_trusted({place: file for place, (_, file) in read.items()}, registry.trust, marks)
    for place, (path, file) in read.items():
        try:
            registry.add_file(path, file)
        except PluginError as error:
            mistakes.append(Mistake(place, str(error)))
    return mistakes


def _require_trusted(codes: Mapping[DataPath, Code], trust: Trust, marks: Marks) -> None:
    named = [place for place in codes if trust.is_named and marks.is_named(place)]
    if named:
        trust.accept(codes[place] for place in named)
    unknown = trust.unknown(codes.values())
    if unknown and not trust.permits(unknown):
        place = next(place for place, code in codes.items() if code == unknown[0].code)
        problem = marks.value(place).problem(trust.explain(unknown))
        raise UntrustedError(problem, unknown)


def problems_at(mistakes: Iterable[Mistake], marks: Marks) -> list[Problem]:
    return [
        (marks.key if mistake.at_key else marks.value)(mistake.path).problem(mistake.message)
        for mistake in mistakes
    ]
