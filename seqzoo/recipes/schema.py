"""JSON Schema of recipes with the plugins that are installed, so that editors complete both.

Where a recipe loads plugin files, names that are not installed are admitted: the file may bring
them. Everywhere else a name must be installed and its options must be its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic.errors import PydanticUserError

from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Spec
from seqzoo.recipes.sections import RecipeSections
from seqzoo.recipes.validation import in_words

__all__ = ["field_table", "recipe_schema"]

JsonSchema = dict[str, Any]

_CHOSEN = ("corpus", "tokenizer", "architecture")


def recipe_schema(registry: Registry) -> JsonSchema:
    """JSON Schema (draft 2020-12) of a recipe; the same for the same plugins."""
    schema = _without_titles(RecipeSections.model_json_schema())
    definitions: JsonSchema = schema["$defs"]
    specs = {
        kind: [registered.spec for registered in registry.registered(kind)]
        for kind in (*_CHOSEN, "stream", "sampler", "tracker")
    }
    for kind, known in specs.items():
        for spec in known:
            definitions[f"{kind}.{spec.name}"] = _options_schema(spec)
        definitions[f"{kind}.chosen"] = _choice_schema(kind, known)
        definitions[f"{kind}.installed"] = {"enum": [spec.name for spec in known]}
    definitions["sampler.link"] = _link_schema(specs["sampler"])
    corpus = definitions["CorpusSection"]
    corpus["allOf"] = [_ref("corpus.chosen")]
    corpus["properties"]["fallback"]["anyOf"] = [
        {"type": "string"},
        {"allOf": [_ref("Choice"), _ref("corpus.chosen")]},
        {"type": "null"},
    ]
    sections = schema["properties"]
    for kind in ("tokenizer", "architecture"):
        sections[kind] = {**sections[kind], "allOf": [_ref(f"{kind}.chosen")]}
    sections["trackers"]["items"] = {"allOf": [_ref("Choice"), _ref("tracker.chosen")]}
    definitions["TrainSection"]["properties"]["stream"]["anyOf"] = [
        {"allOf": [_ref("Choice"), _ref("stream.chosen")]},
        {"type": "null"},
    ]
    definitions["SampleSection"]["properties"]["chain"]["items"] = _ref("sampler.link")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A seqzoo recipe",
        **schema,
        "if": {"properties": {"plugins": {"maxItems": 0}}},
        "then": _installed_only(),
    }


def field_table() -> str:
    """Every field of the core's sections as Markdown: name, what it takes, default, meaning."""
    schema = RecipeSections.model_json_schema()
    lines = ["| field | takes | default | meaning |", "|---|---|---|---|"]
    lines += _rows(schema, "", schema["$defs"])
    return "\n".join(lines) + "\n"


def _options_schema(spec: Spec) -> JsonSchema:
    try:
        return _without_titles(
            spec.options.model_json_schema(
                ref_template=f"#/$defs/{spec.kind}.{spec.name}/$defs/{{model}}"
            )
        )
    except PydanticUserError:  # a plugin's own types may have no schema; anything goes then
        return {"type": "object"}


def _choice_schema(kind: str, specs: list[Spec]) -> JsonSchema:
    """Each name's options; a name and its summary for editors to offer."""
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


def _link_schema(specs: list[Spec]) -> JsonSchema:
    """A sampler's name, or one `name: options` or `name: value`."""
    properties: JsonSchema = {}
    for spec in specs:
        forms = [_ref(f"sampler.{spec.name}"), {"type": "null"}]
        if spec.options.shorthand is not None:
            forms.append(_ref(f"sampler.{spec.name}/properties/{spec.options.shorthand}"))
        properties[spec.name] = {"description": spec.summary, "anyOf": forms}
    mapping = {"type": "object", "properties": properties, "minProperties": 1, "maxProperties": 1}
    return {"anyOf": [{"type": "string"}, mapping]}


def _installed_only() -> JsonSchema:
    """What holds besides where no plugin file can bring further names."""

    def chosen(kind: str) -> JsonSchema:
        return {"type": "object", "properties": {"name": _ref(f"{kind}.installed")}}

    sections: JsonSchema = {kind: chosen(kind) for kind in _CHOSEN}
    sections["corpus"]["properties"]["fallback"] = {
        "anyOf": [_ref("corpus.installed"), chosen("corpus"), {"type": "null"}]
    }
    sections["trackers"] = {"items": chosen("tracker")}
    names = _ref("sampler.installed")
    link = {"anyOf": [names, {"type": "object", "propertyNames": names}]}
    sections["sample"] = {"properties": {"chain": {"items": link}}}
    return {"properties": sections}


def _ref(name: str) -> JsonSchema:
    return {"$ref": f"#/$defs/{name}"}


def _without_titles(schema: Any) -> Any:
    """Pydantic titles every field with its own name, which editors would show twice."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value if key in ("default", "examples", "const", "enum") else _without_titles(value)
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
        takes = in_words(field, definitions).replace("|", "\\|")
        yield f"| `{prefix}{name}` | {takes} | {default} | {field['description']} |"
        for branch in field.get("anyOf", []):
            inner = definitions.get(branch.get("$ref", "").rsplit("/", 1)[-1])
            if inner is not None:
                yield from _rows(inner, f"{prefix}{name}.", definitions)


def _yaml(field: JsonSchema) -> str:
    return json.dumps(field["default"], ensure_ascii=False)
