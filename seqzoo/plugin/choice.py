"""The choice of a plugin in a recipe: its name, its options, and the mark of fields that hold it.

The sections of a recipe have such fields, and the options of a plugin can have them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

__all__ = ["Choice", "Form", "Kind", "Section"]

Form: TypeAlias = Literal["mapping", "mapping or name", "link", "flat"]


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Choice(Section):
    """A plugin by name and its options.

    The options are a mapping when a plugin's author writes a default, and an instance of the chosen
    plugin's `Options` after a recipe was checked.
    """

    name: str = Field(description="name of the plugin; `seqzoo list` shows all names")
    options: Any = Field(
        default={},
        description="options of the plugin; `seqzoo show NAME` lists them",
        json_schema_extra={"type": "object"},
    )

    @field_validator("options")
    @classmethod
    def _is_mapping(cls, options: Any) -> Any:
        if not isinstance(options, (dict, BaseModel)):
            raise PydanticCustomError("dict_type", "expected a mapping")
        return options


@dataclass(frozen=True)
class Kind:
    """Marks a field as a choice of a plugin of this kind, or as a tuple of choices.

    `inner: Annotated[seqzoo.Choice, seqzoo.Kind("architecture")]` in the options of a plugin lets
    recipes name an architecture there; its options are checked, and `context.build(options.inner)`
    builds it. `Choice | None` and `tuple[Choice, ...]` work too.

    form: how a recipe writes it. "mapping": `{name: ..., options: ...}`. "mapping or name": that,
    or the name alone. "link": the name alone, or `{name: options}`. "flat": one mapping with the
    name and the options beside each other.
    """

    kind: str
    form: Form = "mapping or name"
