"""Check data against a pydantic model: an instance, or every mistake with its path and a sentence.

Pydantic says where a mistake is. What was expected is read from the model's JSON Schema, so that
messages, editors and the reference in docs/ say the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import ErrorDetails, to_jsonable_python
from pydantic_core.core_schema import ErrorType

from seqzoo.errors import did_you_mean
from seqzoo.recipes.yaml_reader import DataPath

__all__ = ["Mistake", "check", "describe", "describe_schema", "dotted", "schema_at"]

Model = TypeVar("Model", bound=BaseModel)

_PYDANTIC_KINDS = frozenset(get_args(ErrorType))


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong, at a path from the recipe's root.

    at_key: the key is wrong, not its value.
    wants_text: the field holds text and something else was found.
    kind: "unknown" for a name that does not exist, "not of parts" where a section or a list is
    expected and something else was found.
    """

    path: DataPath
    message: str
    at_key: bool = False
    wants_text: bool = False
    kind: Literal["unknown", "not of parts"] | None = None


def check(
    model: type[Model], data: Any, *, prefix: DataPath = (), implied: str | None = None
) -> tuple[Model | None, list[Mistake]]:
    """An instance of the model, or None and every mistake. Types are strict: `"64"` is no number.

    prefix: the path of `data` in the recipe.
    implied: a key of `data` that the recipe does not write; it has only the value.
    """
    # In JSON mode pydantic is strict about numbers and still accepts a list for a tuple.
    text = json.dumps(_with_default_paths(model, data))
    try:
        return model.model_validate_json(text, strict=True), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    except Exception as error:  # a validator of a plugin raised something else
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        return None, [Mistake(prefix, f"{dotted(prefix)} could not be checked ({cause}).")]
    schema = _schema(model)
    mistakes: dict[DataPath, Mistake] = {}
    for detail in details:
        inner = _path_in(data, detail)
        outer = inner[1:] if implied is not None and inner[:1] == (implied,) else inner
        mistakes.setdefault(inner, _mistake(detail, schema, inner=inner, path=(*prefix, *outer)))
    # Where a field accepts `a number or a list`, the longest path is the branch that was meant.
    above = {path[:length] for path in mistakes for length in range(len(path))}
    return None, [mistake for path, mistake in mistakes.items() if path not in above]


def _with_default_paths(model: type[BaseModel], data: Any) -> Any:
    """The data with the defaults that are paths, as text.

    A default is checked too, and in JSON mode pydantic refuses a Path that is not text.
    """
    if not isinstance(data, dict):
        return data
    defaults = {name: field.default for name, field in model.model_fields.items()}
    paths = {
        name: to_jsonable_python(default)
        for name, default in defaults.items()
        if isinstance(default, Path)
        or (isinstance(default, tuple) and any(isinstance(each, Path) for each in default))
    }
    return {**paths, **data}


def dotted(path: DataPath) -> str:
    """A path as recipes and overrides write it."""
    return ".".join(describe(part).strip("'") for part in path) or "the recipe"


def describe(value: Any) -> str:
    """A value that was found, short and printable, for a message."""
    if isinstance(value, str):
        text = "".join(c if c.isprintable() else "\ufffd" for c in value[:60])
        return f"'{text}…'" if len(value) > 60 else f"'{text}'"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping"
    return json.dumps(value)


def describe_schema(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a JSON Schema accepts, e.g. "a whole number of at least 1"; "" if there are no words."""
    if "$ref" in schema:
        return describe_schema(_referred(schema, definitions), definitions)
    if "const" in schema:
        return describe(schema["const"])
    if "enum" in schema:
        return _either([describe(value) for value in schema["enum"]])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return _either([describe_schema(branch, definitions) for branch in schema[union]])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        noun = "a whole number" if kind == "integer" else "a number"
        return noun + _limits(schema, "imum", "")
    if kind == "string":
        if "examples" in schema:
            return f"text such as {_either([describe(example) for example in schema['examples']])}"
        if "pattern" in schema:
            return f"text of the form {schema['pattern']}"
        if schema.get("format", "path") != "path":
            return f"text ({schema['format']})"
        return "text" + _limits(schema, "Length", " characters")
    if kind == "array":
        if "prefixItems" in schema:
            entries = [describe_schema(item, definitions) for item in schema["prefixItems"]]
            return f"a list of {len(entries)}: " + ", ".join(entries)
        return "a list" + _limits(schema, "Items", " entries")
    return {"boolean": "true or false", "object": "a mapping", "null": "null"}.get(str(kind), "")


def schema_at(schema: Mapping[str, Any], path: DataPath, root: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a JSON Schema that describes `path`; {} if there is none."""
    if "$ref" in schema:
        return schema_at(_referred(schema, root.get("$defs", {})), path, root)
    if not path:
        return dict(schema)
    for union in ("anyOf", "oneOf"):
        for branch in schema.get(union, []):
            if found := schema_at(branch, path, root):
                return found
    first, rest = path[0], path[1:]
    if isinstance(first, int):
        entries = schema.get("prefixItems", [])
        inner = entries[first] if first < len(entries) else schema.get("items")
    else:
        inner = schema.get("properties", {}).get(first, schema.get("additionalProperties"))
    return schema_at(inner, rest, root) if isinstance(inner, dict) else {}


def _mistake(
    detail: ErrorDetails, schema: dict[str, Any], *, inner: DataPath, path: DataPath
) -> Mistake:
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = schema_at(schema, inner[:-1], schema).get("properties", {})
        meant = did_you_mean(str(inner[-1])[:60], known)
        return Mistake(
            path, f"unknown option '{dotted(path)}'.{meant}", at_key=True, kind="unknown"
        )
    if kind in ("value_error", "assertion_error") or kind not in _PYDANTIC_KINDS:
        said = detail.get("ctx", {}).get("error", detail["msg"])  # the message of the validator
        return Mistake(path, f"{dotted(path)}: {' '.join(str(said).split()).rstrip('.')}.")
    words = describe_schema(schema_at(schema, inner, schema), schema.get("$defs", {}))
    # There are no words only for types that a plugin defines; then pydantic's message is used.
    expected = f"expected {words}" if words else f"which does not fit ({detail['msg']})"
    if kind == "missing":
        return Mistake(path, f"{dotted(path)} is missing, {expected}.")
    return Mistake(
        path,
        f"{dotted(path)} is {describe(detail['input'])}, {expected}.",
        wants_text=kind in ("string_type", "path_type", "literal_error", "enum"),
        kind="not of parts" if kind in ("model_type", "tuple_type") else None,
    )


def _path_in(data: Any, detail: ErrorDetails) -> DataPath:
    """The path of the mistake in `data`, without the branch names that pydantic adds for unions."""
    path: DataPath = ()
    for part in detail["loc"]:
        within = range(len(data)) if isinstance(data, list) else data
        if isinstance(within, (dict, range)) and part in within:
            path, data = (*path, part), data[part]
    if detail["type"] == "missing":
        path = (*path, detail["loc"][-1])
    return path


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    try:
        return model.model_json_schema()
    except PydanticUserError:  # types that a plugin defines may have no schema
        return {}


def _referred(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**definitions[schema["$ref"].rsplit("/", 1)[1]], **beside}


def _singular(unit: str) -> str:
    return f"{unit.removesuffix('ies')}y" if unit.endswith("ies") else unit.removesuffix("s")


def _limits(schema: Mapping[str, Any], what: str, unit: str) -> str:
    """The limits in keywords such as minimum and maximum (what: imum), minLength or maxItems."""
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    if low is not None and high is not None:
        return f" from {_number(low)} to {_number(high)}{unit}"
    words = {
        f"min{what}": "of at least",
        "exclusiveMinimum": "above",
        f"max{what}": "at most",
        "exclusiveMaximum": "below",
        "multipleOf": "divisible by",
    }
    parts = [
        f"{word} {_number(schema[key])}{_singular(unit) if schema[key] == 1 else unit}"
        for key, word in words.items()
        if key in schema
    ]
    return " " + " and ".join(parts) if parts else ""


def _number(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"


def _either(choices: list[str]) -> str:
    choices = list(dict.fromkeys(choice for choice in choices if choice))
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices)
