"""The sampling chain as the command line writes it: `greedy`, `top_k=40`, `top_p={p: 0.9}`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seqzoo.errors import UsageError
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Options
from seqzoo.recipes.sections import Choice
from seqzoo.recipes.validation import check
from seqzoo.recipes.yaml_reader import load_yaml

__all__ = ["parse_links"]


def parse_links(texts: Iterable[str], registry: Registry) -> list[Choice]:
    """Links as the command line writes them: NAME, NAME=VALUE or NAME={option: value, ...}.

    VALUE is that of the sampler's shorthand option. Raises UsageError at the first mistake.
    """
    return [_parse_link(text, registry) for text in texts]


def _parse_link(text: str, registry: Registry) -> Choice:
    name, equals, written = (part.strip() for part in text.partition("="))
    options = registry.get("sampler", name).options
    given: Any = {}
    if equals:
        given, _ = load_yaml(written or "null", f"'{text}'")
        if not isinstance(given, dict):
            if options.shorthand is None:
                raise UsageError(f"'{text}': {_needs_no_value(name, options)}")
            given = {options.shorthand: given}
    checked, faults = check(options, given, prefix=(name,))
    if checked is None:
        raise UsageError(f"'{text}': {faults[0].message}")
    return Choice(name=name, options=checked)


def _needs_no_value(name: str, options: type[Options]) -> str:
    if not options.model_fields:
        return f"sampler '{name}' has no options; write '{name}'."
    first = next(iter(options.model_fields))
    return f"sampler '{name}' needs its options by name; write '{name}={{{first}: ...}}'."
