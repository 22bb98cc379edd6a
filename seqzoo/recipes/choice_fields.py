"""Which fields of a recipe, and of the options of plugins, are choices of a plugin.

Reading a recipe, filling in the options and the JSON Schema all follow the marks on these fields.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from seqzoo.plugin.choice import Choice, Form, Kind, Section

__all__ = ["Choice", "ChoiceField", "Form", "Kind", "Section", "choice_fields"]


@dataclass(frozen=True)
class ChoiceField:
    """A field that holds a choice, or a list of choices.

    path: from the root of the model that was looked at. model: the one that has the field itself.
    chosen: Choice, or the section that is a choice and has more fields.
    """

    path: tuple[str, ...]
    model: type[BaseModel]
    field: FieldInfo
    kind: str
    form: Form
    chosen: type[Choice]
    is_list: bool
    is_nullable: bool

    @property
    def name_key(self) -> str:
        """The key that names the plugin: `name`, or what a section calls it."""
        return self.chosen.model_fields["name"].alias or "name"

    @property
    def own_keys(self) -> frozenset[str]:
        """The keys of a flat choice that are not options of the plugin."""
        fields = self.chosen.model_fields.items()
        return frozenset(field.alias or name for name, field in fields if name != "options")


@functools.cache
def choice_fields(model: type[BaseModel]) -> tuple[ChoiceField, ...]:
    """Every field that `Kind` marks, in `model` and the models inside it."""
    return tuple(_choice_fields(model, (), frozenset()))


def _choice_fields(
    model: type[BaseModel], path: tuple[str, ...], around: frozenset[type[BaseModel]]
) -> Iterator[ChoiceField]:
    """around: the models that contain this one; a model of a plugin can contain itself."""
    if model in around:
        return
    for name, field in model.model_fields.items():
        inner = (*path, name)
        parts = get_args(field.annotation) or (field.annotation,)
        models = [part for part in parts if _is_model(part)]
        for mark in field.metadata:
            if isinstance(mark, Kind):
                (chosen,) = [part for part in models if issubclass(part, Choice)]
                yield ChoiceField(
                    path=inner,
                    model=model,
                    field=field,
                    kind=mark.kind,
                    form=mark.form,
                    chosen=chosen,
                    is_list=get_origin(field.annotation) is tuple,
                    is_nullable=type(None) in parts,
                )
        for part in models:
            yield from _choice_fields(part, inner, around | {model})


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)
