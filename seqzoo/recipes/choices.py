"""The plugins that a recipe names: found in its data, their options checked and filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from seqzoo.errors import did_you_mean
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Options
from seqzoo.recipes.choice_fields import Choice, ChoiceField, choice_fields
from seqzoo.recipes.sections import RecipeSections
from seqzoo.recipes.validation import Mistake, check, describe, dotted
from seqzoo.recipes.yaml_reader import MAX_DEPTH, DataPath

__all__ = [
    "NamedPlugin",
    "check_options",
    "check_with_choices",
    "flat_choices",
    "named_link",
    "named_plugins",
    "with_names_as_mappings",
]

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class NamedPlugin:
    """A plugin that the recipe names, and the options that the recipe gives it.

    path: of the choice. name_path: of the name, which is a key in `{name: value}`.
    options: a mapping, or the value of the plugin's shorthand option.
    beside: the keys that the options are written beside, if the choice is flat.
    """

    kind: str
    name: str
    options: Any
    path: DataPath
    name_path: DataPath
    options_path: DataPath
    name_is_key: bool = False
    beside: frozenset[str] = frozenset()

    @property
    def is_flat(self) -> bool:
        """Whether the options are written beside the name."""
        return bool(self.beside)


def named_plugins(data: Mapping[str, Any], registry: Registry) -> Iterator[NamedPlugin | Mistake]:
    """Every plugin that a recipe names, also in the options of another plugin.

    What is not written as a choice is checked elsewhere.
    """
    yield from _all_in(RecipeSections, data, (), registry)


def flat_choices(data: Mapping[str, Any]) -> list[NamedPlugin]:
    """The plugins whose options a recipe writes beside their names."""
    named = _named_in(RecipeSections, data, ())
    return [each for each in named if isinstance(each, NamedPlugin) and each.is_flat]


def check_with_choices(
    model: type[Model],
    data: Any,
    registry: Registry,
    *,
    prefix: DataPath = (),
    implied: str | None = None,
) -> tuple[Model | None, list[Mistake]]:
    """`check`, and the options of every plugin that the data names, which are filled in.

    Each choice in the instance has an instance of its plugin's Options, if that has no mistake.
    """
    if len(prefix) > MAX_DEPTH:
        message = f"{dotted(prefix[:8])}...: plugins are nested more than {MAX_DEPTH} deep."
        return None, [Mistake(prefix, message)]
    options: dict[DataPath, Options] = {}
    further: list[Mistake] = []
    for named in _named_in(model, data, prefix):
        if isinstance(named, Mistake):
            further.append(named)
            continue
        checked, found = check_options(named, registry)
        further += found
        if checked is not None:
            options[named.path] = checked
    plain = _without_options(model, data)
    instance, mistakes = check(model, plain, prefix=prefix, implied=implied)
    if instance is not None:
        instance = _with_options(instance, options, prefix)
    by_name = {
        (*prefix, *field.path) for field in choice_fields(model) if field.form == "mapping or name"
    }
    mistakes = [
        replace(each, message=each.message.replace("expected a m", "expected a name or a m"))
        if each.path in by_name
        else each
        for each in mistakes
    ]
    return instance, mistakes + further


def with_names_as_mappings(model: type[BaseModel], data: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a plugin in which each choice that is a name alone is a mapping."""
    changed = dict(data)
    for field in choice_fields(model):
        first, *inner = field.path
        if field.form == "mapping or name" and not inner and isinstance(data.get(first), str):
            changed[first] = {"name": data[first]}
    return changed


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
    checked, mistakes = check_with_choices(
        model, options, registry, prefix=named.options_path, implied=implied
    )
    return checked, [_with_keys_beside(mistake, named, model) for mistake in mistakes]


def _with_keys_beside(mistake: Mistake, named: NamedPlugin, model: type[Options]) -> Mistake:
    """A mistake about an unknown option, with the keys that the options are written beside."""
    if not named.is_flat or mistake.kind != "unknown" or mistake.path[:-1] != named.path:
        return mistake
    known = sorted({*named.beside, *model.model_fields})
    meant = did_you_mean(str(mistake.path[-1])[:60], known)
    return replace(mistake, message=f"unknown option '{dotted(mistake.path)}'.{meant}")


def _all_in(
    model: type[BaseModel], data: Any, prefix: DataPath, registry: Registry
) -> Iterator[NamedPlugin | Mistake]:
    for named in _named_in(model, data, prefix):
        yield named
        if isinstance(named, NamedPlugin) and named.name in registry.names(named.kind):
            options = registry.get(named.kind, named.name).options
            if len(named.options_path) <= MAX_DEPTH:
                yield from _all_in(options, named.options, named.options_path, registry)


def _named_in(
    model: type[BaseModel], data: Any, prefix: DataPath
) -> Iterator[NamedPlugin | Mistake]:
    """The plugins that the fields of a model name; not those in the options of these plugins."""
    for field in choice_fields(model):
        value, path = _value_at(model, data, field.path), (*prefix, *field.path)
        if not field.is_list:
            yield from _named(field, value, path)
        elif isinstance(value, (list, tuple)):
            for index, entry in enumerate(value):
                yield from _named(field, entry, (*path, index))


def _without_options(model: type[BaseModel], data: Any) -> Any:
    """The data with each correct choice in the form that the model itself can be checked with."""
    for field in choice_fields(model):
        value = _value_at(model, data, field.path)
        if isinstance(value, list if field.is_list else (dict, str)):
            plain = (
                [_plain_choice(field, entry) for entry in value]
                if field.is_list
                else _plain_choice(field, value)
            )
            data = _with_value(data, field.path, plain)
    return data


def _plain_choice(field: ChoiceField, value: Any) -> Any:
    if field.form == "flat":
        return (
            {key: each for key, each in value.items() if key in field.own_keys}
            if isinstance(value, dict)
            else value
        )
    if field.form == "link" or (field.form == "mapping or name" and isinstance(value, str)):
        (named,) = _named(field, value, ()) if value else [None]
        return {"name": named.name} if isinstance(named, NamedPlugin) else {"name": ""}
    return value


def _with_options(model: Model, options: Mapping[DataPath, Options], path: DataPath) -> Model:
    """The model in which each choice has its checked options."""
    changed: dict[str, Any] = {}
    for name in type(model).model_fields:
        value, inner = getattr(model, name), (*path, name)
        if isinstance(value, BaseModel):
            changed[name] = _with_options(value, options, inner)
        elif isinstance(value, tuple):
            changed[name] = tuple(
                _with_options(entry, options, (*inner, index))
                if isinstance(entry, BaseModel)
                else entry
                for index, entry in enumerate(value)
            )
    if isinstance(model, Choice) and path in options:
        changed["options"] = options[path]
    return model.model_copy(update=changed) if changed else model


def _value_at(model: type[BaseModel], data: Any, path: tuple[str, ...]) -> Any:
    """The value of a field: from the data, or the default of the field or of a model around it."""
    for part in path:
        if isinstance(data, BaseModel):
            data = getattr(data, part)
            continue
        field = model.model_fields[part]
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        data = data.get(part, default) if isinstance(data, dict) else None
        parts = get_args(field.annotation) or (field.annotation,)
        model = next(
            (each for each in parts if isinstance(each, type) and issubclass(each, BaseModel)),
            model,
        )
    return data


def _with_value(data: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**data, first: _with_value(data[first], tuple(rest), value) if rest else value}


def _named(field: ChoiceField, value: Any, path: DataPath) -> Iterator[NamedPlugin | Mistake]:
    if isinstance(value, Choice):  # a default
        given = value.options
        if isinstance(given, BaseModel):
            given = given.model_dump(mode="json", by_alias=True, exclude_unset=True)
        value = {field.name_key: value.name, **(given if field.form == "flat" else {})}
        if field.form == "link":
            value = {value["name"]: given}
        elif field.form != "flat":
            value["options"] = given
    if field.form == "link":
        yield named_link(field.kind, value, path)
    elif field.form == "mapping or name" and isinstance(value, str):
        yield NamedPlugin(field.kind, value, {}, path, path, path)
    elif field.form == "flat" and isinstance(value, dict):
        name = value.get(field.name_key, field.chosen.model_fields["name"].default)
        if isinstance(name, str):
            options = {key: each for key, each in value.items() if key not in field.own_keys}
            name_path = (*path, field.name_key)
            yield NamedPlugin(
                field.kind, name, options, path, name_path, path, beside=field.own_keys
            )
    elif isinstance(value, dict) and isinstance(value.get("name"), str):
        given = value.get("options", {})
        options = given if isinstance(given, dict) else {}  # the core reports what else it is
        name_path, options_path = (*path, "name"), (*path, "options")
        yield NamedPlugin(field.kind, value["name"], options, path, name_path, options_path)


def named_link(kind: str, entry: Any, path: DataPath) -> NamedPlugin | Mistake:
    """A link of a chain: a name, or one name with its options."""
    if isinstance(entry, str):
        return NamedPlugin(kind, entry, {}, path, path, path)
    if isinstance(entry, dict) and len(entry) == 1:
        [(name, options)] = entry.items()
        inner = (*path, name)
        return NamedPlugin(kind, name, options, path, inner, inner, name_is_key=True)
    found = f"a mapping of {len(entry)} keys" if isinstance(entry, dict) else describe(entry)
    article = "an" if kind[0] in "aeiou" else "a"
    return Mistake(
        path,
        f"{dotted(path)} is {found}, expected {article} {kind}'s name, or one with its options.",
    )
