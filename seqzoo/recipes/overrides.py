"""`train.budget.steps=100` -> a change of a recipe's data, before it is checked.

An override's value is read as YAML. Where the field turns out to hold text, what was typed is
taken letter by letter (`retype`), so that `name=1` needs no quotes within quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seqzoo.errors import Problem, RecipeError
from seqzoo.recipes.validation import dotted, shown
from seqzoo.recipes.yaml_reader import MAX_DEPTH, Mark, Marks, Path, load_yaml

__all__ = ["apply_overrides", "retype"]


def apply_overrides(
    data: dict[str, Any],
    marks: Marks,
    *,
    overrides: Sequence[str],
    rivals: Iterable[Sequence[Path]] = (),
) -> tuple[dict[Path, str], list[Problem]]:
    """Change `data` and `marks` in place, in the order given.

    rivals: groups of paths of which only one can be set; setting one takes the others away,
    unless an override set them too.
    Gives what was typed for each path whose value could also be meant as text, and the problems.
    """
    typed: dict[Path, str] = {}
    problems: list[Problem] = []
    for override in overrides:
        mark = Mark(override, 0, 0)
        name, equals, text = override.partition("=")
        parts = name.strip().split(".")
        if not equals or not all(parts) or len(parts) > MAX_DEPTH:
            problems.append(mark.problem("expected key=value, such as train.batch_size=16."))
            continue
        if re.search("[\0\ud800-\udfff]", override):
            problems.append(mark.problem("this is not UTF-8 text."))
            continue
        try:
            path = _set(data, marks, parts=parts, value=_read(text), mark=mark)
        except LookupError as error:
            problems.append(mark.problem(str(error.args[0])))
            continue
        for known in [known for known in typed if known[: len(path)] == path]:
            del typed[known]
        if not text.lstrip().startswith(('"', "'")):
            typed[path] = text
        for group in rivals:
            if path in group:
                _remove_rivals(data, marks, paths=[rival for rival in group if rival != path])
    return typed, problems


def retype(data: dict[str, Any], typed: Mapping[Path, str], *, paths: Iterable[Path]) -> bool:
    """Put what was typed in place of what it was read as; whether there was anything to do."""
    wanted = [path for path in paths if path in typed]
    for path in wanted:
        container: Any = data
        for part in path[:-1]:
            container = container[part]
        container[path[-1]] = typed[path]
    return bool(wanted)


def _read(text: str) -> Any:
    """The value as YAML, or as it stands where it is none: a prompt may be anything."""
    try:
        value, _ = load_yaml(text or "null", "")
    except RecipeError:
        return text
    plain = isinstance(value, str) and not text.lstrip().startswith(('"', "'"))
    return text if plain else value


def _set(
    data: dict[str, Any], marks: Marks, *, parts: Sequence[str], value: Any, mark: Mark
) -> Path:
    """Set the value, making the mappings that are missing on the way. Raises LookupError."""
    container: Any = data
    path: Path = ()
    for number, part in enumerate(parts):
        key: str | int = part
        if isinstance(container, list):
            if not (part.isdecimal() and len(part) < 9 and int(part) < len(container)):
                raise LookupError(
                    f"{dotted(path)} is a list of {len(container)}, counted from 0; there is no "
                    f"'{part}' in it."
                )
            key = int(part)
        elif not isinstance(container, dict):
            raise LookupError(
                f"{dotted(path)} is {shown(container)}, so there is no '{part}' in it to set."
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


def _remove_rivals(data: dict[str, Any], marks: Marks, *, paths: Iterable[Path]) -> None:
    for path in paths:
        container: Any = data
        for part in path[:-1]:
            container = container[part]
        if marks.key(path).line:  # from the file, not from another override
            container.pop(path[-1], None)
