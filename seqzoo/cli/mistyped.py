"""A setting of the recipe that was typed as an option: `--train.budget.steps=30`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["as_setting"]

_TEXT = ("corpus", "data", "dataset", "dir", "file", "files", "folder", "input", "path")
"""Names that other programs have for the option --text."""


def as_setting(error: Any, arguments: Sequence[str]) -> str | None:
    """What to type instead; None for another mistake.

    error: Typer's exception for a wrong command line. arguments: those of the process.
    """
    from seqzoo.cli.meant import option_meant
    from seqzoo.plugin.registry import Registry
    from seqzoo.recipes.hints import named_settings
    from seqzoo.recipes.layout import settings_of
    from seqzoo.recipes.validation import dotted
    from seqzoo.terminal.format import quoted

    option = getattr(error, "option_name", None)
    context = getattr(error, "ctx", None)
    parameters = getattr(getattr(context, "command", None), "params", ())
    if context is None or not option or not option.startswith("--"):
        return None
    if all(parameter.name != "overrides" for parameter in parameters):
        return None
    name = option.removeprefix("--")
    value = _value_of(option, arguments)
    if value is None:
        return None
    if name in _TEXT and any(parameter.name == "text" for parameter in parameters):
        text = quoted(value or "FILE")
        return f"there is no option {option}; give your own text with --text: --text {text}"
    if name in (*_TEXT, "text") or option_meant(context.command_path.partition(" ")[2], option):
        return None
    known = named_settings(name.split("."), settings_of({}, Registry()))
    if not known and "." not in name and getattr(error, "possibilities", None):
        return None  # a mistyped option
    settings = " or ".join(
        f"'{dotted(path)}={value or 'VALUE'}'" for path in known[:3] or [(name,)]
    )
    return f"there is no option {option}; a setting has no dashes: {settings}."


def _value_of(option: str, arguments: Sequence[str]) -> str | None:
    """What was typed after an option; "" for nothing, None if the option was not typed."""
    at = next((n for n, typed in enumerate(arguments) if typed.partition("=")[0] == option), None)
    if at is None:
        return None
    _, equals, value = arguments[at].partition("=")
    if not equals:
        value = arguments[at + 1] if at + 1 < len(arguments) else ""
    return value
