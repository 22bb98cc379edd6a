"""YAML text -> plain data, and the line and column of every key and value in it.

Scalars follow the core schema of YAML 1.2, not PyYAML's 1.1: `1e-3` is a number, `no` and
`2024-01-01` are text. Parts of YAML that often cause mistakes are refused, each with its line and
column: duplicate keys, aliases that contain themselves, tags, NaN, and files that are too deep or
too large.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, NoReturn, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from seqzoo.errors import Problem, RecipeError
from seqzoo.recipes.yaml_scalars import resolve

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_VALUES", "DataPath", "Mark", "Marks", "load_yaml"]

DataPath: TypeAlias = tuple[str | int, ...]
"""The place of a value: keys and list indices from the root."""

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_VALUES = 2_000
"""Values in a file; a value that aliases repeat is counted each time."""


class Mark(NamedTuple):
    """A place: source is a file's name or an override as typed; line and column from 1, or 0."""

    source: str
    line: int
    column: int

    def problem(self, message: str) -> Problem:
        """A problem at this place."""
        return Problem(self.source, self.line, self.column, message)


class Marks:
    """The places of keys and values. Without its own place, a value has that of its parent."""

    def __init__(self) -> None:
        self.keys: dict[DataPath, Mark] = {}
        self.values: dict[DataPath, Mark] = {}

    def value(self, path: DataPath) -> Mark:
        """The place where the value at `path` begins."""
        while path not in self.values:
            path = path[:-1]
        return self.values[path]

    def key(self, path: DataPath) -> Mark:
        """The place of the last key of `path`."""
        return self.keys.get(path) or self.value(path)

    def is_named(self, path: DataPath) -> bool:
        """Whether the user gave the value in this command or call, and not in a file."""
        return not self.value(path).line

    def replace(self, path: DataPath, mark: Mark) -> None:
        """Set the place of the value at `path`, and of everything inside it, to `mark`."""
        for marks in (self.keys, self.values):
            for known in [known for known in marks if known[: len(path)] == path]:
                del marks[known]
            marks[path] = mark


def load_yaml(text: str | bytes, source: str) -> tuple[Any, Marks]:
    """The only document of `text` as dicts, lists, str, int, float, bool and None, and its marks.

    source: the file that problems name. Raises RecipeError.
    """
    if len(text) > MAX_BYTES:
        _refuse(source, 1, 1, f"the file is larger than {MAX_BYTES} bytes, which no recipe needs.")
    decoded = _decode(text, source) if isinstance(text, bytes) else text
    # A byte-order mark would shift the columns of the first line by one.
    builder = _Builder(decoded.removeprefix("\ufeff"), source)
    data = builder.document()
    if builder.problems:
        raise RecipeError(builder.problems)
    return data, builder.marks


class _Built(NamedTuple):
    """A value, the number of values in it (itself included) and their depth."""

    data: Any
    size: int
    depth: int


class _Builder:
    """Builds data from PyYAML's events; PyYAML's own composer follows YAML 1.1."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.marks = Marks()
        self.problems: list[Problem] = []
        self._anchors: dict[str | None, _Built | None] = {}  # None while its value is being built
        self._count = 0
        self._events = self._parse()

    def document(self) -> Any:
        """The data of the only document. Raises RecipeError where reading cannot continue."""
        next(self._events)  # start of the stream
        event = next(self._events)
        if isinstance(event, StreamEndEvent):
            _refuse(self.source, 1, 1, "the file is empty, expected a recipe.")
        data = self._value(next(self._events), ()).data
        next(self._events)  # end of the document
        event = next(self._events)
        if isinstance(event, DocumentStartEvent):
            self._stop(event, "a second document begins here, expected one recipe per file.")
        return data

    def _value(self, event: Event, path: DataPath) -> _Built:
        if len(path) > MAX_DEPTH:
            self._stop(event, f"values are nested more than {MAX_DEPTH} deep.")
        self._take(event, 1)
        self.marks.values[path] = self._mark(event)
        if isinstance(event, AliasEvent):
            return self._alias(event, path)
        assert isinstance(event, (ScalarEvent, CollectionStartEvent))
        if event.tag is not None:
            self._note(event, f"the tag '{_shown(event.tag)}' is not allowed; write a plain value.")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, ScalarEvent):
            built = _Built(self._scalar(event), 1, 0)
        elif isinstance(event, SequenceStartEvent):
            built = self._sequence(path)
        else:
            built = self._mapping(path)
        if event.anchor is not None:
            self._anchors[event.anchor] = built
        return built

    def _sequence(self, path: DataPath) -> _Built:
        items: list[_Built] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return _collected([item.data for item in items], items)

    def _mapping(self, path: DataPath) -> _Built:
        items: dict[str, _Built] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(event)
            inner = (*path, key)
            if first := self.marks.keys.get(inner):
                self._note(event, f"'{_shown(key)}' is already given in line {first.line}.")
            else:
                self.marks.keys[inner] = self._mark(event)
            items[key] = self._value(next(self._events), inner)
        return _collected({key: item.data for key, item in items.items()}, items.values())

    def _key(self, event: Event) -> str:
        if not isinstance(event, ScalarEvent):
            self._stop(event, "a key must be plain text, found a list, a mapping or an alias.")
        if event.tag is not None or event.anchor is not None:
            self._note(event, "a key must be plain text without a tag or an anchor.")
        key = self._scalar(event)
        if not isinstance(key, str):
            self._note(event, f"a key must be text, found {_shown(event.value) or 'nothing'}.")
            return event.value
        return key

    def _alias(self, event: AliasEvent, path: DataPath) -> _Built:
        name = _shown(str(event.anchor))
        if event.anchor not in self._anchors:
            self._stop(event, f"'*{name}' has no meaning, because no '&{name}' comes before it.")
        built = self._anchors[event.anchor]
        if built is None:
            self._stop(event, f"'*{name}' is inside the value that it repeats.")
        if len(path) + built.depth > MAX_DEPTH:
            self._stop(event, f"values are nested more than {MAX_DEPTH} deep.")
        self._take(event, built.size - 1)
        return built._replace(data=copy.deepcopy(built.data))

    def _scalar(self, event: ScalarEvent) -> Any:
        text = event.value
        if re.search("[\0\ud800-\udfff]", text):
            self._note(event, "text must not contain NUL or half a surrogate pair.")
        if event.style is not None:
            return text
        value = resolve(text)
        if isinstance(value, float) and not math.isfinite(value):
            self._note(event, f"{_shown(text)} is not a finite number.")
        elif isinstance(value, int) and abs(value) >= 2**63:
            self._note(event, f"{_shown(text)} is too large for a whole number (64 bits).")
        return value

    def _parse(self) -> Iterator[Event]:
        """PyYAML's events; its errors become problems."""
        try:
            loader: Any = yaml.SafeLoader(self.text)  # its stubs have no types for events
        except yaml.reader.ReaderError as error:
            line, column = _place(self.text[: error.position])
            found = f"U+{ord(self.text[error.position]):04X}"
            _refuse(self.source, line, column, f"the character {found} is not allowed here.")
        try:
            while loader.check_event():
                yield loader.get_event()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            assert mark is not None  # the parser and the scanner always set it
            _refuse(self.source, mark.line + 1, mark.column + 1, _syntax_message(error, mark.line))
        except (ValueError, OverflowError):  # PyYAML does not catch errors of chr() and int()
            line, column = loader.line + 1, loader.column + 1
            _refuse(self.source, line, column, "a number or an escape is too large.")

    def _take(self, event: Event, count: int) -> None:
        self._count += count
        if self._count > MAX_VALUES:
            self._stop(event, f"there are more than {MAX_VALUES} values, aliases expanded.")

    def _mark(self, event: Event) -> Mark:
        start = event.start_mark
        assert start is not None  # all events of the parser have one
        return Mark(self.source, start.line + 1, start.column + 1)

    def _note(self, event: Event, message: str) -> None:
        self.problems.append(self._mark(event).problem(message))

    def _stop(self, event: Event, message: str) -> NoReturn:
        """End reading: what follows has no meaning without this."""
        raise RecipeError([*self.problems, self._mark(event).problem(message)])


def _collected(data: Any, parts: Collection[_Built]) -> _Built:
    size = 1 + sum(part.size for part in parts)
    return _Built(data, size, 1 + max((part.depth for part in parts), default=0))


def _decode(text: bytes, source: str) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _place(text[: error.start].decode("utf-8"))
        _refuse(source, line, column, "the file is not UTF-8 text; save it as UTF-8.")


def _place(before: str) -> tuple[int, int]:
    """Line and column of the text that follows `before`."""
    lines = re.split("\r\n|\r|\n", before)
    return len(lines), len(lines[-1].removeprefix("\ufeff")) + 1


def _refuse(source: str, line: int, column: int, message: str) -> NoReturn:
    raise RecipeError([Problem(source, line, column, message)])


def _shown(text: str) -> str:
    """Text from a file, short and printable, for a message."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:60])
    return shown + "…" if len(text) > 60 else shown


_SENTENCES = (
    (
        "mapping values are not allowed",
        "a ':' is not allowed here; put text that contains ': ' in quotes",
    ),
    ("found character '\\t'", "only spaces are allowed here, found a tab"),
    ("that cannot start any token", "text that begins with this character must be in quotes"),
    ("could not find expected ':'", "expected 'key: value'; the ':' is missing in the line above"),
    ("expected ',' or ']'", "a list begins with '[' and has no end ']', or a ',' is missing"),
    ("expected ',' or '}'", "a mapping begins with '{' and has no end '}', or a ',' is missing"),
    ("found unexpected end of stream", "a quoted text has no closing quote"),
    ("expected <block end>", "the indentation does not match the lines above"),
    (
        "expected alphabetic or numeric character",
        "'&' and '*' begin names; put such text in quotes",
    ),
)


def _syntax_message(error: yaml.MarkedYAMLError, line: int) -> str:
    """The error of PyYAML as one sentence, with the line where the mistake began."""
    problem = error.problem or "it cannot be read"
    for part, sentence in _SENTENCES:
        if part in problem:
            problem = sentence
    began = error.context_mark
    since = f" (since line {began.line + 1})" if began and began.line != line else ""
    return f"this is not YAML: {_shown(problem)}{since}."
