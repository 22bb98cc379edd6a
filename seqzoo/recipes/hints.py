"""The setting that was probably meant: hints for names and values that a recipe does not have.

A name is looked for at the end of every path that the recipe can have, so that `lr=0.01` and
`steps=30` are answered with the whole path.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher, get_close_matches
from typing import Any

from pydantic import BaseModel

from seqzoo.plugin.registry import Registry
from seqzoo.recipes.choice_fields import Choice
from seqzoo.recipes.layout import LAYOUT, settings_of
from seqzoo.recipes.validation import Mistake, check, dotted, schema_at
from seqzoo.recipes.yaml_reader import DataPath, Mark, Marks

__all__ = ["named_settings", "with_hints"]

# What other programs call these settings. All other names come from the sections and the options.
_ABBREVIATIONS = {
    "lr": "learning_rate",
    "wd": "weight_decay",
    "bs": "batch_size",
    "bptt": "bptt_length",
    "seq_len": "bptt_length",
    "block_size": "bptt_length",
    "iters": "steps",
    "max_iters": "steps",
    "max_steps": "steps",
    "warmup": "warmup_steps",
    "grad_clip": "clip_norm",
    "hidden": "hidden_size",
    "layers": "num_layers",
    "dtype": "precision",
    "arch": "architecture",
    "model": "architecture",
    "dataset": "corpus",
}
_EXAMPLES = {"integer": 100, "number": 1, "string": "NAME", "boolean": True}
_AT_MOST = 3
_MOST_HINTS = 10  # a file that is no recipe can have thousands of wrong names
_LONGEST_VALUE = 60
_CLOSE = 0.75
_CLEARLY_CLOSER = 0.1


def with_hints(
    mistakes: Iterable[Mistake], data: Mapping[str, Any], marks: Marks, registry: Registry
) -> list[Mistake]:
    """The mistakes, with the setting that was probably meant where another path has the name.

    marks: an override is answered in the form that it was typed in, with its value.
    """
    known: list[list[DataPath]] = []
    hinted = []
    for number, mistake in enumerate(mistakes):
        if mistake.kind == "unknown" and number < _MOST_HINTS:
            known = known or [
                settings_of(data, registry, with_absent=absent) for absent in (False, True)
            ]
            mark = marks.key(mistake.path)
            hint = _of_name(mistake.path, mark, known[0]) or _of_name(mistake.path, mark, known[1])
            hint = hint or _beside(mistake.path, mark, known[1])
            if hint:
                message = f"unknown option '{dotted(mistake.path)}'.{hint}"
                mistake = replace(mistake, message=message)
        elif mistake.kind == "not of parts":
            mark = marks.value(mistake.path)
            hint = _of_value(mistake.path, _at(data, mistake.path), mark, registry)
            message = mistake.message + hint if hint else _of_parts(mistake, mark)
            mistake = replace(mistake, message=message)
        hinted.append(mistake)
    return hinted


def named_settings(name: Sequence[str], known: Sequence[DataPath]) -> list[DataPath]:
    """The paths that end in the last part of `name`, or in what it abbreviates.

    Of several, those that have the other parts of `name` too, if there are any.
    """
    *above, last = (part.lower().replace("-", "_") for part in name)
    meant = _ABBREVIATIONS.get(last, last)
    found = [path for path in known if path[-1] in (last, meant)]
    within = [path for path in found if _is_in_order(above, path[:-1])]
    return within or found


def _of_name(path: DataPath, mark: Mark, known: Sequence[DataPath]) -> str:
    """A hint for a wrong name; "" where what the message says already is as good."""
    if any(isinstance(part, int) for part in path):
        return ""
    parts, value = [str(part) for part in path], ""
    typed = _typed(mark)
    if typed is not None and typed[0][: len(parts)] == parts:
        parts, value = typed[0], f"={typed[1]}" if _is_short(typed[1]) else ""
    found = named_settings(parts, known) or _closest(path, known)
    if not 0 < len(found) <= _AT_MOST:
        return ""
    names = [f"'{dotted(each)}{value}'" for each in found]
    several = f"{', '.join(names[:-1])} or " if len(names) > 1 else ""
    return f" Did you mean {several}{names[-1]}?"


def _closest(path: DataPath, known: Sequence[DataPath]) -> list[DataPath]:
    """The path whose last part is most like that of `path`, if no name beside it is as close."""
    last = str(path[-1]).lower()[:60]

    def closeness(other: DataPath) -> float:
        return SequenceMatcher(None, last, str(other[-1])).ratio()

    beside = max((closeness(each) for each in known if each[:-1] == path[:-1]), default=0.0)
    most = max(map(closeness, known))
    if most < max(_CLOSE, beside + _CLEARLY_CLOSER):
        return []
    return [each for each in known if closeness(each) == most]


def _beside(path: DataPath, mark: Mark, known: Sequence[DataPath]) -> str:
    """The closest name in the section of an override, with the whole path, as it is to be typed."""
    typed = _typed(mark)
    names = {str(each[-1]) for each in known if each[:-1] == path[:-1]}
    close = get_close_matches(str(path[-1]).lower()[:60], names, n=1)
    if typed is None or not close or typed[0] != [str(part) for part in path]:
        return ""
    return f" Did you mean '{dotted((*path[:-1], close[0]))}'?"


def _of_value(path: DataPath, value: Any, mark: Mark, registry: Registry) -> str:
    """A hint for a single value where a section, or a list of choices, is expected."""
    if isinstance(value, (dict, list)) or value is None or not _is_short(str(value)):
        return ""
    setting, text = path, value if isinstance(value, str) else json.dumps(value)
    model = LAYOUT.sections.get(path)
    form = LAYOUT.lists.get(path) or LAYOUT.lists.get(path[:-1])
    if form is not None and isinstance(value, str):
        entry = text if form == "link" else f"{{name: {text}}}"
        text = written = f"[{entry}]" if path in LAYOUT.lists else entry
    elif model is not None and (
        field := _accepting(model, value) or _accepting_beside(path, value, registry)
    ):
        choice = LAYOUT.choices.get(path)
        if choice is not None and field == choice.name_key:
            names = registry.names(choice.kind)
            close = get_close_matches(text, names, n=1)
            if not close:
                return ""
            text = close[0]
        setting, written = (*path, field), f"{{{field}: {text}}}"
    else:
        return ""
    typed = _typed(mark)
    if typed is not None and typed[0] == list(path):
        written = f"{dotted(setting)}={text}"
    return f" Did you mean '{written}'?"


def _of_parts(mistake: Mistake, mark: Mark) -> str:
    """The message about a section that has another value, with one of its settings."""
    model = LAYOUT.sections.get(mistake.path)
    if model is None or "expected a mapping" not in mistake.message:
        return mistake.message
    where = dotted(mistake.path)
    name, value = _example(model)
    written = f"{{{name}: {value}}}" if mark.line else f"{where}.{name}={value}"
    return f"{where} has parts: write '{written}'."


def _example(model: type[BaseModel]) -> tuple[str, str]:
    """A setting of a section, and a value that it can have; `{}` if all are sections."""
    schema = model.model_json_schema()
    for name in schema["properties"]:
        described = schema_at(schema, (name,), schema)
        for kind in [described, *described.get("anyOf", [])]:
            value = described.get("default") or _EXAMPLES.get(kind.get("type"))
            if value is not None and not isinstance(value, (dict, list)):
                return name, str(value) if isinstance(value, str) else json.dumps(value)
    return next(iter(schema["properties"])), "{}"


def _typed(mark: Mark) -> tuple[list[str], str] | None:
    """The parts of an override's name, and its value, as typed; None for another place."""
    name, equals, value = mark.source.partition("=")
    return (name.strip().split("."), value) if equals and not mark.line else None


def _is_short(value: str) -> bool:
    """Whether a hint in quotes can repeat it in a line."""
    return len(value) <= _LONGEST_VALUE and value.isprintable() and "'" not in value


def _accepting(model: type[BaseModel], value: Any) -> str | None:
    """The first field that can have the value, in a section that has no sections inside."""
    if not issubclass(model, Choice) and any(
        isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for field in model.model_fields.values()
    ):
        return None
    for name in model.model_fields:
        _, mistakes = check(model, {name: value})
        if not any(mistake.path[:1] == (name,) for mistake in mistakes):
            return name
    return None


def _accepting_beside(path: DataPath, value: Any, registry: Registry) -> str | None:
    """The first option that can have the value, of the plugin that a recipe without a name has."""
    field = LAYOUT.choices.get(path)
    if field is None or field.form != "flat":
        return None
    name = field.chosen.model_fields["name"].default
    if name not in registry.names(field.kind):
        return None
    return _accepting(registry.get(field.kind, name).options, value)


def _is_in_order(parts: Sequence[str], path: DataPath) -> bool:
    rest = iter(path)
    return all(part in rest for part in parts)


def _at(data: Any, path: DataPath) -> Any:
    """The value at a path; None where there is none."""
    for part in path:
        try:
            data = data[part]
        except (LookupError, TypeError):
            return None
    return data
