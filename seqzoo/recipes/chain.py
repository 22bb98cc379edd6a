"""A sampling chain, or a decoder, as users write it -> choices with checked options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seqzoo.errors import UsageError
from seqzoo.plugin.choice import Choice
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Options
from seqzoo.recipes.choices import NamedPlugin, check_options, check_with_choices, named_link
from seqzoo.recipes.python_data import plain_data
from seqzoo.recipes.validation import Mistake
from seqzoo.recipes.yaml_reader import load_yaml

__all__ = ["chain_of", "decoder_of", "parse_decoder", "parse_links"]


def parse_links(texts: Iterable[str], registry: Registry) -> list[Choice]:
    """Links of the sampling chain from the command line: NAME, NAME=VALUE or NAME={option: value}.

    VALUE is the value of the sampler's shorthand option. Raises UsageError at the first mistake.
    """
    return [_parse_link("sampler", text, registry) for text in texts]


def parse_decoder(text: str, registry: Registry) -> Choice:
    """A decoder from the command line: NAME, NAME=VALUE or NAME={option: value}."""
    return _parse_link("decoder", text, registry)


def chain_of(links: Iterable[str | Mapping[str, Any]], registry: Registry) -> list[Choice]:
    """Links as recipes write them: a name, or `{name: {option: value}}`, or `{name: value}`.

    Raises UsageError with all mistakes, each on its own line.
    """
    if isinstance(links, (str, bytes, Mapping)):
        raise UsageError(
            f"the chain is {links!r:.60}, expected a list of samplers, such as "
            f"[{{'temperature': 0.8}}, 'greedy']."
        )
    entries = plain_data(list(links), source="the chain")
    return _checked(
        [named_link("sampler", entry, ("chain", index)) for index, entry in enumerate(entries)],
        registry,
    )


def decoder_of(link: str | Mapping[str, Any], registry: Registry) -> Choice:
    """A decoder as Python code writes it: a name, `{name: {option: value}}` or `{name: value}`."""
    plain = plain_data(link, source="the decoder")
    (choice,) = _checked([named_link("decoder", plain, ("decoder",))], registry)
    return choice


def _checked(links: Iterable[NamedPlugin | Mistake], registry: Registry) -> list[Choice]:
    choices: list[Choice] = []
    mistakes: list[Mistake] = []
    for named in links:
        if isinstance(named, Mistake):
            mistakes.append(named)
            continue
        options, found = check_options(named, registry)
        mistakes += found
        if options is not None:
            choices.append(Choice(name=named.name, options=options))
    if mistakes:
        raise UsageError("\n".join(mistake.message for mistake in mistakes))
    return choices


def _parse_link(kind: str, text: str, registry: Registry) -> Choice:
    name, equals, written = (part.strip() for part in text.partition("="))
    options = registry.get(kind, name).options
    given: Any = {}
    if equals:
        given, _ = load_yaml(written or "null", f"'{text}'")
        if not isinstance(given, dict):
            if options.shorthand is None:
                raise UsageError(f"'{text}': {_needs_no_value(kind, name, options)}")
            given = {options.shorthand: given}
    checked, mistakes = check_with_choices(options, given, registry, prefix=(name,))
    if checked is None or mistakes:
        raise UsageError(f"'{text}': {mistakes[0].message}")
    return Choice(name=name, options=checked)


def _needs_no_value(kind: str, name: str, options: type[Options]) -> str:
    if not options.model_fields:
        return f"{kind} '{name}' has no options; write '{name}'."
    first = next(iter(options.model_fields))
    return f"{kind} '{name}' needs its options by name; write '{name}={{{first}: ...}}'."
