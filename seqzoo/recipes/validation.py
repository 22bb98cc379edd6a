"""A pydantic model's verdict on data from a recipe, in plain words with the path of each fault.

Pydantic says where something is wrong; what was expected is read from the model's JSON Schema,
the one description that messages, editors and the reference in docs/ share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from seqzoo.errors import did_you_mean
from seqzoo.recipes.yaml_reader import Path

__all__ = ["Fault", "check", "dotted", "in_words", "schema_at", "shown"]

Model = TypeVar("Model", bound=BaseModel)

_PYDANTIC_KINDS = frozenset(get_args(ErrorType))


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, at a path from the recipe's root.

    at_key: the key is wrong, not its value.
    wants_text: the field holds text and something else was found.
    """

    path: Path
    message: str
    at_key: bool = False
    wants_text: bool = False


def check(
    model: type[Model], data: Any, *, prefix: Path = (), implied: str | None = None
) -> tuple[Model | None, list[Fault]]:
    """The model's instance, or None and every fault. Types are strict: `"64"` is no number.

    prefix: where `data` stands in the recipe.
    implied: a key of `data` that the recipe leaves out, writing its value only.
    """
    # JSON is the mode in which pydantic is strict about numbers but takes lists for tuples.
    text = json.dumps(data)
    try:
        return model.model_validate_json(text, strict=True), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    except Exception as error:  # a plugin's own validator broke on what it was given
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        return None, [Fault(prefix, f"{dotted(prefix)} could not be checked ({cause}).")]
    schema = _schema(model)
    faults: dict[Path, Fault] = {}
    for detail in details:
        inner = _path_in(data, detail)
        outer = inner[1:] if implied is not None and inner[:1] == (implied,) else inner
        faults.setdefault(inner, _fault(detail, schema, inner=inner, path=(*prefix, *outer)))
    # Of a field that takes `a number or a list`, only the branch that went deepest is meant.
    above = {path[:length] for path in faults for length in range(len(path))}
    return None, [fault for path, fault in faults.items() if path not in above]


def dotted(path: Path) -> str:
    """A path as recipes and overrides write it."""
    return ".".join(shown(part).strip("'") for part in path) or "the recipe"


def shown(value: Any) -> str:
    """A value as found, safe and short enough for a message."""
    if isinstance(value, str):
        text = "".join(c if c.isprintable() else "\ufffd" for c in value[:60])
        return f"'{text}…'" if len(value) > 60 else f"'{text}'"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping"
    return json.dumps(value)


def in_words(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a JSON Schema admits, e.g. "a whole number of at least 1"; "" where it cannot say."""
    if "$ref" in schema:
        return in_words(_referred(schema, definitions), definitions)
    if "const" in schema:
        return shown(schema["const"])
    if "enum" in schema:
        return _either([shown(value) for value in schema["enum"]])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return _either([in_words(branch, definitions) for branch in schema[union]])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        noun = "a whole number" if kind == "integer" else "a number"
        return noun + _limits(schema, "imum", "")
    if kind == "string":
        if "examples" in schema:
            return f"text such as {_either([shown(example) for example in schema['examples']])}"
        if "pattern" in schema:
            return f"text of the form {schema['pattern']}"
        if schema.get("format", "path") != "path":
            return f"text ({schema['format']})"
        return "text" + _limits(schema, "Length", " characters")
    if kind == "array":
        if "prefixItems" in schema:
            entries = [in_words(item, definitions) for item in schema["prefixItems"]]
            return f"a list of {len(entries)}: " + ", ".join(entries)
        return "a list" + _limits(schema, "Items", " entries")
    return {"boolean": "true or false", "object": "a mapping", "null": "null"}.get(str(kind), "")


def schema_at(schema: Mapping[str, Any], path: Path, root: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a JSON Schema that speaks of `path`; {} where none does."""
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


def _fault(detail: ErrorDetails, schema: dict[str, Any], *, inner: Path, path: Path) -> Fault:
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = schema_at(schema, inner[:-1], schema).get("properties", {})
        meant = did_you_mean(str(inner[-1])[:60], known)
        return Fault(path, f"unknown option '{dotted(path)}'.{meant}", at_key=True)
    if kind in ("value_error", "assertion_error") or kind not in _PYDANTIC_KINDS:
        said = detail.get("ctx", {}).get("error", detail["msg"])  # in the validator's own words
        return Fault(path, f"{dotted(path)}: {' '.join(str(said).split()).rstrip('.')}.")
    words = in_words(schema_at(schema, inner, schema), schema.get("$defs", {}))
    # Only of a plugin's own types there are no words; pydantic's have to do.
    expected = f"expected {words}" if words else f"which does not fit ({detail['msg']})"
    if kind == "missing":
        return Fault(path, f"{dotted(path)} is missing, {expected}.")
    return Fault(
        path,
        f"{dotted(path)} is {shown(detail['input'])}, {expected}.",
        wants_text=kind in ("string_type", "path_type", "literal_error", "enum"),
    )


def _path_in(data: Any, detail: ErrorDetails) -> Path:
    """The fault's path in `data`: pydantic puts the names of a union's branches in between."""
    path: Path = ()
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
    except PydanticUserError:  # a plugin's own types may have none; its errors then say less
        return {}


def _referred(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**definitions[schema["$ref"].rsplit("/", 1)[1]], **beside}


def _limits(schema: Mapping[str, Any], what: str, unit: str) -> str:
    """The limits that keywords such as minimum, maximum (what: imum), minLength or maxItems set."""
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}{unit}"
    words = {
        f"min{what}": "of at least",
        "exclusiveMinimum": "above",
        f"max{what}": "at most",
        "exclusiveMaximum": "below",
        "multipleOf": "divisible by",
    }
    parts = [f"{word} {schema[key]:g}{unit}" for key, word in words.items() if key in schema]
    return " " + " and ".join(parts) if parts else ""


def _either(choices: list[str]) -> str:
    choices = list(dict.fromkeys(choice for choice in choices if choice))
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices)
