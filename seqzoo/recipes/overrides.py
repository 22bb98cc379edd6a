"""`train.budget.steps=100` -> a change of a recipe's data, before it is checked.

The value of an override that is text is read as YAML. Where the field turns out to hold text, what
was typed is used as it is (`retype`), so that `name=1` needs no additional quotes.

A mapping sets the settings of a section that it names, and leaves the others; an empty mapping
resets the section. A choice of a plugin can be given by its name: `architecture=gru` is the plugin
with its default options, because the options of another plugin are not its own. Of options beside
the name, as in `train.optimizer=muon`, those of the file stay that both plugins have.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from seqzoo.errors import Problem, RecipeError, UsageError
from seqzoo.recipes.layout import NO_LAYOUT, Layout
from seqzoo.recipes.python_data import plain_data
from seqzoo.recipes.validation import describe, dotted
from seqzoo.recipes.yaml_reader import MAX_DEPTH, DataPath, Mark, Marks, load_yaml

__all__ = ["Overrides", "apply_overrides", "retype"]


Overrides: TypeAlias = Sequence[str] | Mapping[str, Any]
"""`key=value` as typed, or values by their dotted paths, which may be nested as in a recipe."""


def apply_overrides(
    data: dict[str, Any],
    marks: Marks,
    *,
    overrides: Overrides,
    layout: Layout = NO_LAYOUT,
) -> tuple[dict[DataPath, str], list[Problem]]:
    """Change `data` and `marks` in place, in the order given.

    layout: the sections of the recipe. Of paths that exclude each other, setting one removes the
    others, unless an override has set them too.
    Returns what was typed for each path whose value may be meant as text, and the problems. Raises
    UsageError where `overrides` are neither a mapping nor texts.
    """
    typed: dict[DataPath, str] = {}
    problems: list[Problem] = []
    overridden: set[DataPath] = set()
    for override in _read_all(overrides, problems):
        for part in _settings(data, override, layout):
            if part.is_reset:
                _reset(data, marks, part, overridden)
                continue
            try:
                path = _set(data, marks, parts=part.parts, value=part.value, mark=part.mark)
            except LookupError as error:
                problems.append(part.mark.problem(str(error.args[0])))
                continue
            for known in [known for known in typed if known[: len(path)] == path]:
                del typed[known]
            if part.typed is not None:
                typed[path] = part.typed
            overridden.add(path)
            for group in layout.exclusive:
                if _is_within(path, group):
                    others = [other for other in group if not _overlaps(other, overridden)]
                    _remove(data, paths=others)
    return typed, problems


class _Override(NamedTuple):
    """typed: what was typed, if the value may be meant as text.

    is_reset: removes the settings of a section instead, except those that an override has set.
    """

    parts: list[str]
    value: Any
    mark: Mark
    typed: str | None = None
    is_reset: bool = False


def _read_all(overrides: Overrides, problems: list[Problem]) -> Iterator[_Override]:
    """The overrides that can be read; the others become problems."""
    is_mapping = isinstance(overrides, Mapping)
    if isinstance(overrides, str):
        overrides = (overrides,)
    elif isinstance(overrides, bytes) or not isinstance(overrides, Iterable):
        raise UsageError(
            f"overrides is {overrides!r:.60}, expected a mapping such as "
            f"{{'train.batch_size': 16}}, or a list of texts such as 'train.batch_size=16'."
        )
    for override in overrides:
        mark = Mark(str(override), 0, 0)
        name, equals, text = str(override).partition("=")
        parts = name.strip().split(".")
        if bool(equals) is is_mapping or not all(parts) or len(parts) > MAX_DEPTH:
            expected = "a dotted path, such as train.batch_size" if is_mapping else _KEY_VALUE
            problems.append(mark.problem(f"expected {expected}."))
        elif re.search("[\0\ud800-\udfff]", str(override)):
            problems.append(mark.problem("this is not UTF-8 text."))
        elif isinstance(overrides, Mapping):
            try:
                value = plain_data(overrides[override], source=name)
            except RecipeError as error:
                problems += error.problems
            else:
                yield _Override(parts, value, mark)
        else:
            is_quoted = text.lstrip().startswith(('"', "'"))
            yield _Override(parts, _read(text), mark, None if is_quoted else text)


_KEY_VALUE = "key=value, such as train.batch_size=16"


def _settings(data: dict[str, Any], override: _Override, layout: Layout) -> Iterator[_Override]:
    """The settings that an override names: several if its value is a mapping for a section."""
    parts, value, mark = override.parts, override.value, override.mark
    path = tuple(parts)
    for above in (path[:length] for length in range(1, len(path))):
        # In the options of a plugin, a text that has options of its own is a choice by its name.
        is_inner = "options" in above and parts[len(above)] == "options"
        if (is_inner or above in layout.choices) and isinstance(name := _at(data, above), str):
            _set(data, Marks(), parts=above, value={"name": name}, mark=mark)
    choice = layout.choices.get(path)
    if choice is not None and isinstance(value, str):
        value = {choice.name_key: value}
    present = _at(data, parts)
    is_section = path in layout.sections and (present is None or isinstance(present, dict))
    if not (is_section and isinstance(value, dict) and value):
        yield override if value is override.value else _Override(parts, value, mark)
        return
    if choice is not None and choice.form != "flat" and "name" in value:
        yield _Override([*parts, "options"], None, mark, is_reset=True)
    for key, inner in value.items():
        further = [*parts, *key.split(".")]
        place = mark if "=" in mark.source else Mark(".".join(further), 0, 0)
        yield from _settings(data, _Override(further, inner, place), layout)


def _at(data: Any, parts: Iterable[str]) -> Any:
    for part in parts:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _is_within(path: DataPath, paths: Collection[DataPath]) -> bool:
    return any(path[:length] in paths for length in range(1, len(path) + 1))


def _overlaps(path: DataPath, paths: Collection[DataPath]) -> bool:
    return _is_within(path, paths) or any(_is_within(each, [path]) for each in paths)


def retype(
    data: dict[str, Any], typed: Mapping[DataPath, str], *, paths: Iterable[DataPath]
) -> bool:
    """Use what was typed instead of what it was read as. Returns whether anything changed."""
    wanted = [path for path in paths if path in typed]
    for path in wanted:
        container: Any = data
        for part in path[:-1]:
            container = container[part]
        container[path[-1]] = typed[path]
    return bool(wanted)


def _read(text: str) -> Any:
    """The value as YAML, or the text itself if it is not YAML: a prompt can be anything."""
    try:
        value, _ = load_yaml(text or "null", "")
    except RecipeError:
        return text
    plain = isinstance(value, str) and not text.lstrip().startswith(('"', "'"))
    return text if plain else value


def _set(
    data: dict[str, Any], marks: Marks, *, parts: Sequence[str], value: Any, mark: Mark
) -> DataPath:
    """Set the value; mappings that are missing on the path are made. Raises LookupError."""
    container: Any = data
    path: DataPath = ()
    for number, part in enumerate(parts):
        key: str | int = part
        if isinstance(container, list):
            if not (part.isdecimal() and len(part) < 9 and int(part) < len(container)):
                raise LookupError(
                    f"{dotted(path)} is a list of {len(container)} entries, counted from 0; "
                    f"there is no entry '{part}'."
                )
            key = int(part)
        elif not isinstance(container, dict):
            raise LookupError(
                f"{dotted(path)} is {describe(container)}, so '{part}' cannot be set in it."
            )
        path = (*path, key)
        if number == len(parts) - 1:
            container[key] = value
            marks.replace(path, mark)
            return path
        if isinstance(container, dict) and container.get(part) is None:
            container[key] = {}
            marks.replace(path, mark)
        container = container[key]
    raise AssertionError("a path has at least one part")


def _reset(
    data: dict[str, Any], marks: Marks, override: _Override, overridden: Collection[DataPath]
) -> None:
    section = _at(data, override.parts)
    for key in list(section) if isinstance(section, dict) else []:
        path = (*override.parts, key)
        if not _is_within(path, overridden):
            del section[key]
            marks.replace(path, override.mark)


def _remove(data: dict[str, Any], *, paths: Iterable[DataPath]) -> None:
    for path in paths:
        container: Any = data
        for part in path[:-1]:
            container = container[part]
        container.pop(path[-1], None)
