"""What can be said of each place in a text: where in the line, in a word, inside of what."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["FEATURES", "Feature"]

Bytes = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


class Feature(NamedTuple):
    """A value of every byte of a text, from the text up to that byte and the byte after it."""

    name: str
    of: Callable[[Bytes], Values]


def _is_in(data: Bytes, members: bytes) -> npt.NDArray[np.bool_]:
    table = np.zeros(256, dtype=bool)
    table[list(members)] = True
    found: npt.NDArray[np.bool_] = table[data]
    return found


_UPPER = bytes(range(ord("A"), ord("Z") + 1))
_LOWER = bytes(range(ord("a"), ord("z") + 1))
_LETTERS = _UPPER + _LOWER + bytes(range(0x80, 0x100))  # letters of UTF-8, most of them
_DIGITS = b"0123456789"


def _since(marks: npt.NDArray[np.bool_]) -> Values:
    """Bytes since the last mark: 0 at a mark, and counted from the beginning before the first."""
    places = np.arange(len(marks))
    last = np.maximum.accumulate(np.where(marks, places, -1))
    return (places - last).astype(np.float64)


def _column(data: Bytes) -> Values:
    return _since(data == ord("\n"))


def _distance(data: Bytes) -> Values:
    return np.log2(1 + _column(data))


def _rows_since_empty(data: Bytes) -> Values:
    """Line ends since the last empty line, as a count."""
    ends = data == ord("\n")
    empty = ends & np.concatenate([[True], ends[:-1]])
    count = np.cumsum(ends)
    at_empty = np.maximum.accumulate(np.where(empty, count, 0))
    return (count - at_empty).astype(np.float64)


def _indentation(data: Bytes) -> Values:
    """Blanks at the beginning of the line so far."""
    blank = _is_in(data, b" \t")
    column = _column(data)
    # A blank belongs to the indentation if all bytes since the line end are blanks.
    leading = blank & (_since(~blank) == column)
    return np.maximum(column - _since(leading), 0.0)


def _inside(opening: int, closing: int) -> Callable[[Bytes], Values]:
    """Whether a bracket is open, across at most a few lines."""

    def of(data: Bytes) -> Values:
        opened, closed = _since(data == opening), _since(data == closing)
        reach = 400  # a bracket that is never closed is one that was not meant as one
        return ((opened < closed) & (opened < reach)).astype(np.float64)

    return of


def _quotes(data: Bytes) -> Values:
    """Whether a double quote is open; an empty line closes it."""
    ends = data == ord("\n")
    empty = ends & np.concatenate([[True], ends[:-1]])
    count = np.cumsum(data == ord('"'))
    at_empty = np.maximum.accumulate(np.where(empty, count, 0))
    return ((count - at_empty) % 2).astype(np.float64)


def _capitals(data: Bytes) -> Values:
    """Capital letters in a row, up to this byte."""
    found: Values = np.minimum(_since(~_is_in(data, _UPPER)), 8.0)
    return found


def _in_word(data: Bytes) -> Values:
    """Letters of the word so far."""
    found: Values = np.minimum(_since(~_is_in(data, _LETTERS)), 15.0)
    return found


def _next(of: Callable[[Bytes], npt.NDArray[np.bool_]]) -> Callable[[Bytes], Values]:
    def shifted(data: Bytes) -> Values:
        return np.append(of(data)[1:], False).astype(np.float64)

    return shifted


def _word_ends(data: Bytes) -> Values:
    """Whether this is the last letter of a word."""
    letters = _is_in(data, _LETTERS)
    ends: npt.NDArray[np.bool_] = letters & ~np.append(letters[1:], False)
    return ends.astype(np.float64)


def _first_line(data: Bytes) -> Values:
    """Whether this is the first line after an empty one."""
    is_first: npt.NDArray[np.bool_] = (_rows_since_empty(data) == 0) & (data != ord("\n"))
    return is_first.astype(np.float64)


FEATURES = (
    Feature("position in the line", _column),
    Feature("distance from the last line end, logarithm", _distance),
    Feature("lines since an empty line", _rows_since_empty),
    Feature("first line after an empty line", _first_line),
    Feature("indentation of the line", _indentation),
    Feature("inside quotes", _quotes),
    Feature("inside (…)", _inside(ord("("), ord(")"))),
    Feature("inside […]", _inside(ord("["), ord("]"))),
    Feature("inside {…}", _inside(ord("{"), ord("}"))),
    Feature("inside <…>", _inside(ord("<"), ord(">"))),
    Feature("capitals in a row", _capitals),
    Feature("a capital comes next", _next(lambda data: _is_in(data, _UPPER))),
    Feature("letters of the word so far", _in_word),
    Feature("the word ends here", _word_ends),
    Feature("a line end comes next", _next(lambda data: data == ord("\n"))),
    Feature("inside a number", lambda data: _is_in(data, _DIGITS).astype(np.float64)),
    Feature("after a space", lambda data: _is_in(data, b" ").astype(np.float64)),
    Feature("after punctuation", lambda data: _is_in(data, b".,;:!?").astype(np.float64)),
)
