"""The laws of every declaration, whatever its kind: its words and its options."""

from __future__ import annotations

from typing import Any

import yaml

from seqzoo.testing.given import Given
from seqzoo.testing.law import Law, require

__all__ = ["laws_of_declaration"]


def laws_of_declaration(kind: str) -> tuple[Law, ...]:
    """The laws of the declarations of a kind, named `kind.options` and so on."""
    return (
        Law(
            name=f"{kind}.described",
            says="it has a summary of one line, and every option has a description",
            cause="`Field(...)` without `description=`; `seqzoo show NAME` prints these",
            check=_described,
        ),
        Law(
            name=f"{kind}.api",
            says="its functions have the present form, (options, context)",
            cause="a plugin that was written for an earlier seqzoo; docs/plugins.md has the form",
            check=_api,
        ),
        Law(
            name=f"{kind}.options",
            says="options that are written to a recipe and read again are the same",
            cause="a type of option that YAML does not have, or a validator that changes its value",
            check=_options,
            every_option=True,
        ),
    )


def _described(given: Given[Any]) -> None:
    summary = given.spec.summary
    require(bool(summary.strip()) and "\n" not in summary, f"the summary is {summary!r}")
    fields = given.spec.options.model_fields
    without = [name for name, field in fields.items() if not field.description]
    require(not without, f"no description of {', '.join(without)}")
    shorthand = given.spec.options.shorthand
    is_option = shorthand is None or shorthand in fields
    require(is_option, f"shorthand is '{shorthand}', which is no option")


def _api(given: Given[Any]) -> None:
    forms = given.spec.earlier_forms
    require(not forms, f"{', '.join(forms)} is the form before API 1")


def _options(given: Given[Any]) -> None:
    text = yaml.safe_dump(given.options.model_dump(mode="json"))
    again = type(given.options).model_validate(yaml.safe_load(text))
    # What is stored nowhere (`exclude=True`) cannot come back.
    same = again.model_dump(mode="json") == given.options.model_dump(mode="json")
    require(same, f"{given.options!r} is read again as {again!r}")
