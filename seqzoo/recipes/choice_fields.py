"""The choice of a plugin in a recipe, and which fields of a recipe are choices of which kind.

Reading a recipe, filling in the options and the JSON Schema all follow the marks on these fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

__all__ = ["Choice", "ChoiceField", "Kind", "Section", "choice_fields"]

Form: TypeAlias = Literal["mapping", "mapping or name", "link"]


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Choice(Section):
    """A plugin by name and its options."""

    name: str = Field(description="name of the plugin; `seqzoo list` shows all names")
    options: Any = Field(
        default={},
        description="options of the plugin; `seqzoo show NAME` lists them",
        json_schema_extra={"type": "object"},
    )
    """After loading: an instance of the plugin's Options."""

    @field_validator("options")
    @classmethod
    def _is_mapping(cls, options: Any) -> Any:
        if not isinstance(options, (dict, BaseModel)):
            raise PydanticCustomError("dict_type", "expected a mapping")
        return options


@dataclass(frozen=True)
class Kind:
    """Marks a section's field as a choice of a plugin of this kind, or as a list of choices.

    form: how a choice is written. "mapping": `{name: ..., options: ...}`. "mapping or name": that,
    or the name alone. "link": the name alone, or `{name: options}`.
    """

    kind: str
    form: Form = "mapping"


@dataclass(frozen=True)
class ChoiceField:
    """A field of a recipe that holds a choice, or a list of choices.

    path: from the recipe's root. section: the section that has the field.
    chosen: Choice, or the section that is a choice and has more fields.
    """

    path: tuple[str, ...]
    section: type[Section]
    kind: str
    form: Form
    chosen: type[Choice]
    is_list: bool
    is_nullable: bool


def choice_fields(section: type[Section], path: tuple[str, ...] = ()) -> Iterator[ChoiceField]:
    """Every field that `Kind` marks, in `section` and the sections inside it.

    path: where the section is in the recipe.
    """
    for name, field in section.model_fields.items():
        inner = (*path, name)
        parts = get_args(field.annotation) or (field.annotation,)
        sections = [part for part in parts if isinstance(part, type) and issubclass(part, Section)]
        for mark in field.metadata:
            if isinstance(mark, Kind):
                (chosen,) = [part for part in sections if issubclass(part, Choice)]
                yield ChoiceField(
                    path=inner,
                    section=section,
                    kind=mark.kind,
                    form=mark.form,
                    chosen=chosen,
                    is_list=get_origin(field.annotation) is tuple,
                    is_nullable=type(None) in parts,
                )
        for part in sections:
            yield from choice_fields(part, inner)
