"""JSON Schema of recipes and of the options of installed plugins, for editors and for docs/.

A recipe that loads plugin files may name plugins that are not installed, because the files may
declare them. In any other recipe each name must be installed. Options must fit their plugin.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic.errors import PydanticUserError

from seqzoo.plugin.registry import PLUGIN_KINDS, Registry
from seqzoo.plugin.specs import Spec
from seqzoo.recipes.choice_fields import Choice, ChoiceField, choice_fields
from seqzoo.recipes.sections import RecipeSections
from seqzoo.recipes.validation import describe_schema

__all__ = ["field_table", "options_table", "recipe_schema"]

JsonSchema = dict[str, Any]

_CHOICE_FIELDS = tuple(choice_fields(RecipeSections))


def recipe_schema(registry: Registry) -> JsonSchema:
    """JSON Schema (draft 2020-12) of a recipe; equal plugins give an equal schema."""
    schema = _without_titles(RecipeSections.model_json_schema())
    definitions: JsonSchema = schema["$defs"]
    specs = [each.spec for kind in PLUGIN_KINDS for each in registry.registered(kind)]
    inner = [(spec, field) for spec in specs for field in choice_fields(spec.options)]
    fields = [*_CHOICE_FIELDS, *(field for _, field in inner)]
    for kind in dict.fromkeys(field.kind for field in fields):
        known = [spec for spec in specs if spec.kind == kind]
        for spec in known:
            definitions[f"{kind}.{spec.name}"] = _options_schema(spec)
        definitions[f"{kind}.chosen"] = _choice_schema(kind, known)
        definitions[f"{kind}.installed"] = {"enum": [spec.name for spec in known]}
        if any(field.kind == kind and field.form == "link" for field in fields):
            definitions[f"{kind}.link"] = _link_schema(kind, known)
    for spec, field in inner:
        options = definitions.get(f"{spec.kind}.{spec.name}", {})
        if "properties" in options:
            _add_choice(options, field, definitions)
    for field in _CHOICE_FIELDS:
        if field.form == "flat":
            _add_flat_choice(definitions, field, registry)
        else:
            _add_choice(schema, field, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A seqzoo recipe",
        **schema,
        "if": {"properties": {"plugins": {"maxItems": 0}}},
        "then": _installed_only(),
    }


def field_table() -> str:
    """Every field of the core's sections as a Markdown table: name, type, default, meaning."""
    schema = RecipeSections.model_json_schema()
    for field in _CHOICE_FIELDS:
        if field.form == "flat":
            section = schema["$defs"][field.chosen.__name__]["properties"]
            declared = section.pop("options").get("$ref", "").rsplit("/", 1)[-1]
            section |= schema["$defs"].get(declared, {}).get("properties", {})
    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    lines += _rows(schema, "", schema["$defs"])
    return "\n".join(lines) + "\n"


def options_table(registry: Registry, kind: str) -> str:
    """The options of every plugin of a kind as a Markdown table, like `field_table`."""
    lines = [f"| {kind} | option | type | default | meaning |", "|---|---|---|---|---|"]
    for registered in registry.registered(kind):
        schema = registered.spec.options.model_json_schema()
        rows = _rows(schema, "", schema.get("$defs", {}))
        lines += [f"| `{registered.spec.name}` {row}" for row in rows]
    return "\n".join(lines) + "\n"


def _options_schema(spec: Spec) -> JsonSchema:
    try:
        return _without_titles(
            spec.options.model_json_schema(
                ref_template=f"#/$defs/{spec.kind}.{spec.name}/$defs/{{model}}"
            )
        )
    except (
        PydanticUserError
    ):  # types that a plugin defines may have no schema; then all options are accepted
        return {"type": "object"}


def _choice_schema(kind: str, specs: list[Spec]) -> JsonSchema:
    """The options that belong to each name; names and summaries for editors to suggest."""
    offered: list[JsonSchema] = [
        {"const": spec.name, "description": spec.summary} for spec in specs
    ]
    branches = [
        {
            "if": {"properties": {"name": {"const": spec.name}}, "required": ["name"]},
            "then": {"properties": {"options": _ref(f"{kind}.{spec.name}")}},
        }
        for spec in specs
    ]
    return {
        "properties": {"name": {"anyOf": [*offered, {"type": "string"}]}},
        **({"allOf": branches} if branches else {}),
    }


def _link_schema(kind: str, specs: list[Spec]) -> JsonSchema:
    """A plugin's name, or one `name: options` or `name: value`."""
    properties: JsonSchema = {}
    for spec in specs:
        forms = [_ref(f"{kind}.{spec.name}"), {"type": "null"}]
        if spec.options.shorthand is not None:
            forms.append(_ref(f"{kind}.{spec.name}/properties/{spec.options.shorthand}"))
        properties[spec.name] = {"description": spec.summary, "anyOf": forms}
    mapping = {"type": "object", "properties": properties, "minProperties": 1, "maxProperties": 1}
    return {"anyOf": [{"type": "string"}, mapping]}


def _add_choice(schema: JsonSchema, field: ChoiceField, definitions: JsonSchema) -> None:
    """Make the schema of the field accept what a choice of its kind can be.

    schema: of the model that the field was found in. definitions: of the whole recipe.
    """
    section = schema.get("$defs", {}).get(field.model.__name__, schema)
    properties = section["properties"]
    last = field.path[-1]
    name = [{"type": "string"}] if field.form == "mapping or name" else []
    choice: JsonSchema = {"allOf": [_ref("Choice"), _ref(f"{field.kind}.chosen")]}
    if field.form == "link":
        choice = _ref(f"{field.kind}.link")
    elif name and not field.is_nullable:
        choice = {"anyOf": [*name, choice]}
    if field.chosen is not Choice:
        # A section that is a choice with more fields has its own definition.
        definitions[field.chosen.__name__]["allOf"] = [_ref(f"{field.kind}.chosen")]
    elif field.is_list:
        properties[last]["items"] = choice
    elif field.is_nullable:
        properties[last]["anyOf"] = [*name, choice, {"type": "null"}]
    else:
        kept = {
            key: properties[last][key]
            for key in ("description", "default")
            if key in properties[last]
        }
        properties[last] = {**choice, **kept}


def _add_flat_choice(definitions: JsonSchema, field: ChoiceField, registry: Registry) -> None:
    """Make the section of the field accept the options that belong to each name."""
    section = definitions[field.chosen.__name__]
    del section["additionalProperties"]
    own = {key: section["properties"][key] for key in sorted(field.own_keys)}
    section["properties"] = own
    known = [registered.spec for registered in registry.registered(field.kind)]
    key = field.name_key
    offered = [{"const": spec.name, "description": spec.summary} for spec in known]
    own[key] = {"anyOf": [*offered, {"type": "string"}], **_without(own[key], "type")}
    branches = [
        {
            "if": {
                "properties": {key: {"const": spec.name}},
                "required": [] if spec.name == own[key].get("default") else [key],
            },
            "then": _beside(own, spec, definitions),
        }
        for spec in known
    ]
    section |= {"allOf": branches} if branches else {}


def _beside(own: JsonSchema, spec: Spec, definitions: JsonSchema) -> JsonSchema:
    """The options of a plugin beside the section's own keys."""
    name = f"{spec.kind}.{spec.name}"
    options = definitions[name]
    if "properties" not in options:
        return {}
    refs = {key: _ref(f"{name}/properties/{key}") for key in options["properties"]}
    required = {"required": options["required"]} if "required" in options else {}
    known = {**dict.fromkeys(own, True), **refs}
    return {"properties": known, **required, "additionalProperties": False}


def _without(schema: JsonSchema, key: str) -> JsonSchema:
    return {other: value for other, value in schema.items() if other != key}


def _installed_only() -> JsonSchema:
    """What is required in addition if no plugin file can declare more names."""
    root: JsonSchema = {"properties": {}}
    for field in _CHOICE_FIELDS:
        names = _ref(f"{field.kind}.installed")
        choice: JsonSchema = {"type": "object", "properties": {field.name_key: names}}
        if field.form == "link":
            choice = {"anyOf": [names, {"type": "object", "propertyNames": names}]}
        if field.is_list:
            choice = {"items": choice}
        elif field.is_nullable:
            name = [names] if field.form == "mapping or name" else []
            choice = {"anyOf": [*name, choice, {"type": "null"}]}
        section = root
        for part in field.path[:-1]:
            section = section["properties"].setdefault(part, {"properties": {}})
        section["properties"][field.path[-1]] = choice
    return root


def _ref(name: str) -> JsonSchema:
    return {"$ref": f"#/$defs/{name}"}


def _without_titles(schema: JsonSchema) -> JsonSchema:
    """Without the titles of pydantic: they repeat the field's name, and editors show both."""

    def inner(value: Any) -> Any:
        if isinstance(value, list):
            return [inner(item) for item in value]
        return _without_titles(value) if isinstance(value, dict) else value

    return {
        key: value if key in ("default", "examples", "const", "enum") else inner(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }


def _rows(section: JsonSchema, prefix: str, definitions: JsonSchema) -> Iterator[str]:
    for name, field in section["properties"].items():
        named = field.get("$ref", "").rsplit("/", 1)[-1]
        if named in definitions:
            yield from _rows(definitions[named], f"{prefix}{name}.", definitions)
            continue
        default = "required" if name in section.get("required", []) else f"`{_yaml(field)}`"
        takes = describe_schema(field, definitions).replace("|", "\\|")
        yield f"| `{prefix}{name}` | {takes} | {default} | {field['description']} |"
        for branch in field.get("anyOf", []):
            inner = definitions.get(branch.get("$ref", "").rsplit("/", 1)[-1])
            if inner is not None:
                yield from _rows(inner, f"{prefix}{name}.", definitions)


def _yaml(field: JsonSchema) -> str:
    return json.dumps(field["default"], ensure_ascii=False)
