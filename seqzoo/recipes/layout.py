"""Which dotted paths a recipe has: its sections, its choices of a plugin, and its settings.

Everything is read from the sections and from the options of the plugins that the recipe names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from seqzoo.plugin.registry import Registry
from seqzoo.recipes.choice_fields import ChoiceField, Form, choice_fields
from seqzoo.recipes.choices import NamedPlugin, named_plugins
from seqzoo.recipes.sections import RecipeSections
from seqzoo.recipes.train_section import AverageSection, BudgetSection
from seqzoo.recipes.yaml_reader import DataPath

__all__ = ["LAYOUT", "NO_LAYOUT", "Layout", "settings_of"]


@dataclass(frozen=True)
class Layout:
    """What overrides have to know about a recipe's paths.

    sections: the model of each section; None for the options of a plugin.
    choices: sections that choose a plugin, which can be given by its name alone.
    lists: how an entry is written, for each list of choices.
    exclusive: groups of paths that exclude each other.
    """

    sections: Mapping[DataPath, type[BaseModel] | None]
    choices: Mapping[DataPath, ChoiceField]
    lists: Mapping[DataPath, Form]
    exclusive: tuple[tuple[DataPath, ...], ...]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field can hold; not those inside a list."""
    parts = get_args(annotation) if not _is_list(annotation) else ()
    for part in parts or (annotation,):
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is tuple


def _sections(model: type[BaseModel], path: DataPath = ()) -> Iterator[tuple[DataPath, Any]]:
    for name, field in model.model_fields.items():
        if name == "options":
            continue  # of a plugin, whose fields are known only when it is chosen
        for inner in _models(field.annotation):
            yield (*path, name), inner
            yield from _sections(inner, (*path, name))


def _recipe_layout() -> Layout:
    fields = list(choice_fields(RecipeSections))
    choices: dict[DataPath, ChoiceField] = {
        field.path: field for field in fields if not field.is_list
    }
    options = {(*path, "options"): None for path, field in choices.items() if field.form != "flat"}
    units = tuple(("train", "budget", unit) for unit in BudgetSection.alternatives())
    averages = tuple(("train", "average", each) for each in AverageSection.alternatives())
    return Layout(
        sections=dict(_sections(RecipeSections)) | options,
        choices=choices,
        lists={field.path: field.form for field in fields if field.is_list},
        exclusive=(units, averages),
    )


LAYOUT = _recipe_layout()
NO_LAYOUT = Layout({}, {}, {}, ())
"""Of data that is no recipe, such as the options of one plugin."""


def settings_of(
    data: Mapping[str, Any], registry: Registry, *, with_absent: bool = False
) -> list[DataPath]:
    """Every path that a recipe has or could have, sections included; those with few parts first.

    data: the recipe, whose plugins decide which options there are.
    with_absent: also what is inside a section that is null in this recipe.
    """
    named = [each for each in named_plugins(data, registry) if isinstance(each, NamedPlugin)]
    options: dict[DataPath, type[BaseModel]] = {}
    for each in named:
        if each.name in registry.names(each.kind):
            place = each.path if each.is_flat else (*each.path, "options")
            options[place] = registry.get(each.kind, each.name).options
    flat = {each.path for each in named if each.is_flat}
    flat |= {path for path, field in LAYOUT.choices.items() if field.form == "flat"}

    def inside(model: type[BaseModel], path: DataPath, section: Any) -> Iterator[DataPath]:
        for name, field in model.model_fields.items():
            if name == "options" and path in flat:
                beside = [options[path]] if path in options else _models(field.annotation)
                for part in beside:
                    yield from inside(part, path, section)
                continue
            inner = (*path, field.alias or name)
            value = section.get(inner[-1]) if isinstance(section, dict) else None
            yield inner
            if value is None and type(None) in get_args(field.annotation) and not with_absent:
                continue
            is_plugins = inner in options and inner not in flat
            for part in [options[inner]] if is_plugins else _models(field.annotation):
                yield from inside(part, inner, value)

    links = [each.name_path for each in named if each.name_is_key]
    return sorted([*inside(RecipeSections, (), data), *links], key=len)
