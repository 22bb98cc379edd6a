"""A checked recipe as plain data, with every choice of a plugin in the form that recipes use."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from seqzoo.recipes.choice_fields import Choice, ChoiceField, choice_fields

__all__ = ["as_written"]


def as_written(model: BaseModel, data: dict[str, Any]) -> dict[str, Any]:
    """The model as plain data, with every choice in the form in which a recipe writes it.

    data: what `model_dump(mode="json", by_alias=True)` gives; it is changed.
    """
    for field in choice_fields(type(model)):
        owner: Any = model
        container: Any = data
        for part in field.path[:-1]:
            owner = getattr(owner, part, None)
            container = container.get(part) if isinstance(container, dict) else None
        last = field.path[-1]
        chosen = getattr(owner, last, None)
        if isinstance(chosen, tuple):
            pairs = zip(chosen, container[last], strict=True)
            container[last] = [_choice_as_written(field, *pair) for pair in pairs]
        elif chosen is not None:
            container[last] = _choice_as_written(field, chosen, container[last])
    return data


def _choice_as_written(field: ChoiceField, choice: Choice, data: dict[str, Any]) -> dict[str, Any]:
    options = data.pop("options")
    if isinstance(choice.options, BaseModel):
        options = as_written(choice.options, options)
    if field.form == "link":
        return {choice.name: options}
    return {**data, **options} if field.form == "flat" else {**data, "options": options}
