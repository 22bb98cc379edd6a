"""A setting of the recipe that was typed as an option: `--train.budget.steps=30`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["as_setting"]


def as_setting(error: Any, arguments: Sequence[str]) -> str | None:
    """What to type instead; None for another mistake.

    error: Typer's exception for a wrong command line. arguments: those of the process.
    """
    from seqzoo.cli.meant import option_meant
    from seqzoo.plugin.registry import Registry
    from seqzoo.recipes.hints import named_settings
    from seqzoo.recipes.layout import settings_of
    from seqzoo.recipes.validation import dotted

    option = getattr(error, "option_name", None)
    context = getattr(error, "ctx", None)
    parameters = getattr(getattr(context, "command", None), "params", ())
    if context is None or not option or not option.startswith("--"):
        return None
    if all(parameter.name != "overrides" for parameter in parameters):
        return None
    if option_meant(context.command_path.partition(" ")[2], option):
        return None
    name = option.removeprefix("--")
    known = named_settings(name.split("."), settings_of({}, Registry()))
    if not known and "." not in name and getattr(error, "possibilities", None):
        return None  # a mistyped option
    at = next((n for n, typed in enumerate(arguments) if typed.partition("=")[0] == option), None)
    if at is None:
        return None
    _, equals, value = arguments[at].partition("=")
    if not equals:
        value = arguments[at + 1] if at + 1 < len(arguments) else "VALUE"
    settings = " or ".join(f"'{dotted(path)}={value}'" for path in known[:3] or [(name,)])
    return f"there is no option {option}; a setting has no dashes: {settings}."
