"""Options of a plugin, drawn from its own schema: small, allowed, and each value of each choice.

No option is known by its name. A whole number is tried at its smallest and at a moderate size, a
choice at each of its values, a boolean both ways, a number between two limits in the middle; then
some pairs of these. A combination that the plugin refuses is counted and left out.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic.errors import PydanticUserError

from seqzoo.errors import SeqzooError, UsageError
from seqzoo.plugin.specs import Options

__all__ = ["Drawn", "draw", "missing_options"]

_MODERATE = (16, 24, 32, 12, 8, 64, 4, 48, 2, 1, 128)
"""Sizes that whole numbers are lowered to, in the order in which they are tried."""

_FEW, _MANY = 8, 40
"""Most choices of options of a quick and of a thorough check."""


@dataclass(frozen=True)
class Drawn:
    """choices: of options, the most usual one first. refused: why combinations were left out."""

    choices: tuple[Options, ...]
    refused: tuple[str, ...]


def missing_options(options: type[Options], given: Mapping[str, Any]) -> list[str]:
    """The names of options that have no default and were not given."""
    return [
        name
        for name, field in options.model_fields.items()
        if field.is_required() and name not in given
    ]


def draw(
    options: type[Options],
    given: Mapping[str, Any],
    accepts: Callable[[Options], object],
    *,
    thorough: bool,
) -> Drawn:
    """Choices of options that the class and `accepts` take.

    given: values by the names of options; these stay as they are.
    accepts: builds the plugin; raises ValueError or UsageError for a combination that it refuses.
    Raises what `accepts` raises where even the defaults cannot be built.
    """
    refused: dict[str, None] = {}

    def taken(values: Mapping[str, Any]) -> Options | None:
        try:
            made = options.model_validate(values)
            accepts(made)
        except (ValueError, SeqzooError) as error:
            if isinstance(error, SeqzooError) and not isinstance(error, UsageError):
                raise
            refused[_reason(error)] = None
            return None
        return made

    schema = _schema(options)
    fields = [each for each in _fields(schema, schema) if each.path[0] not in given]
    base = _moderate(options, fields, given, taken)
    if base is None:
        made = options.model_validate(dict(given))
        accepts(made)  # raises, and says why
        return Drawn((made,), tuple(refused))
    values = base.model_dump()
    singles = [{each.path: value} for each in fields for value in each.values(values)]
    pairs = [
        first | second
        for first, second in itertools.combinations(singles, 2)
        if first.keys() != second.keys()
    ]
    random.Random(0).shuffle(pairs)
    most = _MANY if thorough else _FEW
    choices = [base]
    for changes in [*_spread(singles, most), *(pairs if thorough else ())]:
        if len(choices) >= most:
            break
        made_of = taken(_changed(values, changes))
        if made_of is not None and made_of not in choices:
            choices.append(made_of)
    return Drawn(tuple(choices), tuple(refused))


@dataclass(frozen=True)
class _Field:
    """One option. path: its keys, more than one in a nested model. schema: its JSON schema."""

    path: tuple[str, ...]
    schema: Mapping[str, Any]

    def values(self, now: Mapping[str, Any]) -> Iterator[Any]:
        """What to try in place of its value in `now`."""
        present = _at(now, self.path)
        for form in self.schema.get("anyOf", [self.schema]):
            for value in _values_of(form):
                if value != present or type(value) is not type(present):
                    yield value

    def lowered(self, present: Any, size: int) -> Any:
        """The value with its whole numbers at `size` or below, within the limits."""
        for form in self.schema.get("anyOf", [self.schema]):
            if form.get("type") == "integer" and type(present) is int:
                return _whole(form, min(present, size))
            if form.get("type") == "array" and isinstance(present, (tuple, list)):
                item = form.get("items", {})
                if item.get("type") == "integer":
                    return [_whole(item, min(each, size)) for each in present]
        return present


def _schema(options: type[Options]) -> Mapping[str, Any]:
    try:
        return options.model_json_schema()
    except PydanticUserError:  # a type that JSON does not have; the defaults are tried
        return {}


def _fields(
    schema: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[_Field]:
    for name, inner in schema.get("properties", {}).items():
        inner = _resolved(inner, root)
        if "properties" in inner:
            yield from _fields(inner, root, (*path, name))
        else:
            forms = [_resolved(form, root) for form in inner.get("anyOf", [])]
            items = {"items": _resolved(inner["items"], root)} if "items" in inner else {}
            yield _Field((*path, name), {**inner, **items, **({"anyOf": forms} if forms else {})})


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return root["$defs"][name] if name else schema


def _values_of(form: Mapping[str, Any]) -> Iterator[Any]:
    if "enum" in form:
        yield from form["enum"]
    elif form.get("type") == "boolean":
        yield from (False, True)
    elif form.get("type") == "integer":
        yield _whole(form, -(10**9))
    elif form.get("type") == "number":
        lowest = form.get("minimum", form.get("exclusiveMinimum"))
        highest = form.get("maximum", form.get("exclusiveMaximum"))
        if lowest is not None and highest is not None:
            yield (lowest + highest) / 2
    elif form.get("type") == "null":
        yield None


def _whole(form: Mapping[str, Any], wanted: int) -> int:
    """The whole number within the limits that is nearest to `wanted`, above it where needed."""
    step = form.get("multipleOf", 1)
    lowest = form.get("minimum", form.get("exclusiveMinimum", 0 if wanted < 0 else wanted - 1) + 1)
    highest = form.get("maximum", form.get("exclusiveMaximum", 10**12) - 1)
    value = min(max(wanted, lowest), highest)
    upwards = -(-value // step) * step
    return int(upwards if upwards <= highest else value // step * step)


def _moderate(
    options: type[Options],
    fields: Sequence[_Field],
    given: Mapping[str, Any],
    taken: Callable[[Mapping[str, Any]], Options | None],
) -> Options | None:
    """The defaults with all sizes lowered together, or one by one where that is refused."""
    plain = options.model_validate(dict(given)).model_dump()
    for size in _MODERATE:
        changes = {each.path: each.lowered(_at(plain, each.path), size) for each in fields}
        if made := taken(_changed(plain, changes)):
            return made
    values: Mapping[str, Any] = plain
    found: Options | None = None
    for each in fields:
        for size in _MODERATE:
            changed = _changed(values, {each.path: each.lowered(_at(values, each.path), size)})
            if made := taken(changed):
                values, found = changed, made
                break
    return found or taken(plain)


def _spread(singles: list[dict[tuple[str, ...], Any]], most: int) -> list[Any]:
    """The changes, reordered so that the first `most` are of as many options as possible."""
    by_option: dict[tuple[str, ...], list[dict[tuple[str, ...], Any]]] = {}
    for change in singles:
        by_option.setdefault(next(iter(change)), []).append(change)
    rounds = itertools.zip_longest(*by_option.values())
    return [change for turn in rounds for change in turn if change is not None]


def _at(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = values
    for key in path:
        found = found[key] if isinstance(found, Mapping) and key in found else None
    return found


def _changed(
    values: Mapping[str, Any], changes: Mapping[tuple[str, ...], Any]
) -> Mapping[str, Any]:
    copy = dict(values)
    for path, value in changes.items():
        key, *rest = path
        inner = copy.get(key)
        copy[key] = (
            _changed(inner, {tuple(rest): value}) if rest and isinstance(inner, Mapping) else value
        )
    return copy


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(each["msg"] for each in error.errors())
    return " ".join(str(error).split())
