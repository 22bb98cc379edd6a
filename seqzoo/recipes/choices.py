"""The plugins that a recipe names: found in its data, their options checked and filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from seqzoo.errors import UsageError
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Options
from seqzoo.recipes.choice_fields import Choice, ChoiceField, Section, choice_fields
from seqzoo.recipes.python_data import plain_data
from seqzoo.recipes.sections import BaselinesSection, RecipeSections
from seqzoo.recipes.validation import Mistake, check, describe, dotted
from seqzoo.recipes.yaml_reader import DataPath, load_yaml

__all__ = [
    "NamedPlugin",
    "chain_of",
    "check_options",
    "decoder_of",
    "named_plugins",
    "parse_decoder",
    "parse_links",
    "unknown_baselines",
    "with_options",
    "without_link_options",
]

_CHOICE_FIELDS = tuple(choice_fields(RecipeSections))

Filled = TypeVar("Filled", bound=Section)


@dataclass(frozen=True)
class NamedPlugin:
    """A plugin that the recipe names, and the options that the recipe gives it.

    path: of the choice. name_path: of the name, which is a key in `{name: value}`.
    options: a mapping, or the value of the plugin's shorthand option.
    """

    kind: str
    name: str
    options: Any
    path: DataPath
    name_path: DataPath
    options_path: DataPath
    name_is_key: bool = False


def named_plugins(data: Mapping[str, Any]) -> Iterator[NamedPlugin | Mistake]:
    """Every plugin that `data` names; what is not written as a choice is checked elsewhere."""
    for field in _CHOICE_FIELDS:
        value = _value_at(data, field.path)
        if not field.is_list:
            yield from _named(field, value, field.path)
        elif isinstance(value, list):
            for index, entry in enumerate(value):
                yield from _named(field, entry, (*field.path, index))


def without_link_options(data: dict[str, Any]) -> dict[str, Any]:
    """The data with each correct link as `{name: ...}`, which the core's sections accept."""
    for field in _CHOICE_FIELDS:
        value = _value_at(data, field.path)
        if field.form == "link" and isinstance(value, list):
            links = [named for entry in value for named in _named(field, entry, field.path)]
            names = [{"name": link.name} for link in links if isinstance(link, NamedPlugin)]
            data = _with_value(data, field.path, names)
    return data


def check_options(named: NamedPlugin, registry: Registry) -> tuple[Options | None, list[Mistake]]:
    """The options as an instance of the plugin's Options, or None and every mistake.

    Where the name is wrong, its options cannot be checked, so only the name is reported.
    """
    if named.name not in registry.names(named.kind):
        message = registry.explain_missing(named.kind, dotted((named.name,)))
        return None, [Mistake(named.name_path, message, at_key=named.name_is_key)]
    model = registry.get(named.kind, named.name).options
    options, implied = named.options, None
    if options is None:
        options = {}
    elif not isinstance(options, dict):
        if model.shorthand is None:
            where, found = dotted(named.options_path), describe(options)
            message = f"{where} is {found}, expected a mapping of options."
            return None, [Mistake(named.options_path, message)]
        implied = model.shorthand
        options = {implied: options}
    return check(model, options, prefix=named.options_path, implied=implied)


def unknown_baselines(section: BaselinesSection, registry: Registry) -> list[Mistake]:
    """A mistake for each name of a baseline that is not installed."""
    lists: dict[str, Iterable[str]] = {"include": section.include or (), "exclude": section.exclude}
    known = registry.names("baseline")
    return [
        Mistake(("baselines", field, index), registry.explain_missing("baseline", dotted((name,))))
        for field, names in lists.items()
        for index, name in enumerate(names)
        if name not in known
    ]


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
    plain = plain_data(list(links), source="the chain")
    return _checked(
        [_link("sampler", link, ("chain", i)) for i, link in enumerate(plain)], registry
    )


def decoder_of(link: str | Mapping[str, Any], registry: Registry) -> Choice:
    """A decoder as Python code writes it: a name, `{name: {option: value}}` or `{name: value}`."""
    plain = plain_data(link, source="the decoder")
    (choice,) = _checked([_link("decoder", plain, ("decoder",))], registry)
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


def with_options(
    section: Filled, options: Mapping[DataPath, Options], path: DataPath = ()
) -> Filled:
    """The section in which each choice has the checked options instead of the mapping."""
    changed: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            changed[name] = with_options(value, options, (*path, name))
        elif isinstance(value, tuple):
            changed[name] = tuple(
                with_options(entry, options, (*path, name, index))
                if isinstance(entry, Section)
                else entry
                for index, entry in enumerate(value)
            )
    if path in options:
        changed["options"] = options[path]
    return section.model_copy(update=changed)


def _value_at(data: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _with_value(data: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**data, first: _with_value(data[first], tuple(rest), value) if rest else value}


def _named(field: ChoiceField, value: Any, path: DataPath) -> Iterator[NamedPlugin | Mistake]:
    if field.form == "link":
        yield _link(field.kind, value, path)
    elif field.form == "mapping or name" and isinstance(value, str):
        yield NamedPlugin(field.kind, value, {}, path, path, path)
    elif isinstance(value, dict) and isinstance(value.get("name"), str):
        given = value.get("options", {})
        options = given if isinstance(given, dict) else {}  # the core reports what else it is
        name_path, options_path = (*path, "name"), (*path, "options")
        yield NamedPlugin(field.kind, value["name"], options, path, name_path, options_path)


def _link(kind: str, link: Any, path: DataPath) -> NamedPlugin | Mistake:
    """A link of the chain: a name, or one name with its options."""
    if isinstance(link, str):
        return NamedPlugin(kind, link, {}, path, path, path)
    if isinstance(link, dict) and len(link) == 1:
        [(name, options)] = link.items()
        inner = (*path, name)
        return NamedPlugin(kind, name, options, path, inner, inner, name_is_key=True)
    found = f"a mapping of {len(link)} keys" if isinstance(link, dict) else describe(link)
    return Mistake(
        path, f"{dotted(path)} is {found}, expected a {kind}'s name, or one with its options."
    )


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
    checked, mistakes = check(options, given, prefix=(name,))
    if checked is None:
        raise UsageError(f"'{text}': {mistakes[0].message}")
    return Choice(name=name, options=checked)


def _needs_no_value(kind: str, name: str, options: type[Options]) -> str:
    if not options.model_fields:
        return f"{kind} '{name}' has no options; write '{name}'."
    first = next(iter(options.model_fields))
    return f"{kind} '{name}' needs its options by name; write '{name}={{{first}: ...}}'."
