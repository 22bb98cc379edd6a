"""A recipe that is given as Python objects -> plain data, as YAML text would give it.

Problems name their place by its dotted path, because there is no file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from seqzoo.errors import Problem, RecipeError
from seqzoo.recipes.validation import dotted
from seqzoo.recipes.yaml_reader import MAX_DEPTH, MAX_VALUES, DataPath, Mark, Marks

__all__ = ["DottedMarks", "plain_data"]


class DottedMarks(Marks):
    """Places of data that is not in a file: the dotted path, or the override that set the value."""

    def __init__(self, *, is_named: bool = True) -> None:
        """is_named: whether the caller wrote the data, and not a file before."""
        super().__init__()
        self._is_named = is_named

    def is_named(self, path: DataPath) -> bool:
        return self._is_named or any(path[:n] in self.values for n in range(len(path), 0, -1))

    def value(self, path: DataPath) -> Mark:
        known = next((p for n in range(len(path), 0, -1) if (p := path[:n]) in self.values), None)
        return Mark(dotted(path), 0, 0) if known is None else self.values[known]


def plain_data(data: Any, *, source: str = "") -> Any:
    """A copy in dicts, lists, str, int, float, bool and None.

    Tuples, paths and numbers of numpy are converted. source: the place that problems name; "" for
    the dotted path. Raises RecipeError.
    """
    copier = _Copier(source)
    plain = copier.copy(data, ())
    if copier.problems:
        raise RecipeError(copier.problems)
    return plain


class _Copier:
    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._count = 0

    def copy(self, value: Any, path: DataPath) -> Any:
        self._count += 1
        if self._count > MAX_VALUES or len(path) > MAX_DEPTH:  # a list may contain itself
            too_many = f"there are more than {MAX_VALUES} values."
            too_deep = f"values are nested more than {MAX_DEPTH} deep."
            self._note(path, too_many if self._count > MAX_VALUES else too_deep)
            raise RecipeError(self.problems)
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        elif getattr(value, "shape", None) == () and hasattr(value, "item"):  # numpy's numbers
            value = value.item()
        if isinstance(value, Mapping):
            return self._mapping(value, path)
        if isinstance(value, (list, tuple)):
            return [self.copy(inner, (*path, index)) for index, inner in enumerate(value)]
        return self._scalar(value, path)

    def _mapping(self, value: Mapping[Any, Any], path: DataPath) -> dict[str, Any]:
        copied = {}
        for key, inner in value.items():
            if isinstance(key, str):
                copied[key] = self.copy(inner, (*path, key))
            else:
                self._note(path, f"a key must be text, found {type(key).__name__}.")
        return copied

    def _scalar(self, value: Any, path: DataPath) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
                self._note(path, "text must not contain NUL or half a surrogate pair.")
            return str(value)
        if isinstance(value, int):
            if abs(value) >= 2**63:
                self._note(path, "this is too large for a whole number (64 bits).")
            return int(value)
        if isinstance(value, float):
            if not math.isfinite(value):
                self._note(path, f"{value} is not a finite number.")
            return float(value)
        self._note(
            path,
            f"found {type(value).__name__}, expected text, a number, true or false, null, a list "
            f"or a mapping.",
        )
        return None

    def _note(self, path: DataPath, message: str) -> None:
        self.problems.append(Problem(self.source or dotted(path), 0, 0, message))
