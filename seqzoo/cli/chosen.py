"""A plugin that an option names: NAME, NAME=VALUE or NAME={option: value}."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqzoo.plugin.choice import Choice
    from seqzoo.plugin.registry import Registry

__all__ = ["named_choice"]


def named_choice(text: str, kind: str, registry: Registry) -> Choice:
    """The choice that was typed as the value of the option --KIND; its options are not checked.

    VALUE is that of the plugin's shorthand option. Raises UsageError for a value that has no
    option, and for a name that is not installed if it has a value.
    """
    from seqzoo.errors import UsageError
    from seqzoo.plugin.choice import Choice
    from seqzoo.recipes.yaml_reader import load_yaml

    name, equals, written = (part.strip() for part in text.partition("="))
    options, _ = load_yaml(written or "null", f"--{kind} '{text}'") if equals else ({}, None)
    if not isinstance(options, dict):
        shorthand = registry.get(kind, name).options.shorthand
        if shorthand is None:
            raise UsageError(
                f"--{kind} '{text}': {kind} '{name}' needs its options by name, such as "
                f"--{kind} '{name}={{option: value}}'; 'seqzoo show {name}' lists them."
            )
        options = {shorthand: options}
    return Choice(name=name, options=options)
