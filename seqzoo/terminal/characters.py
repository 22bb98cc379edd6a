"""Text from models, files and users, as it can be shown: nothing in it controls the terminal."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator

__all__ = [
    "LOOKALIKES",
    "can_be_shown",
    "character_starts",
    "characters_of",
    "one_line",
    "visible",
]

LOOKALIKES = "seqzoo.lookalikes"
"""The name of the error handler of streams that cannot encode every character."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_CONTROL_PICTURES = 0x2400
_DELETE_PICTURE = 0x2421

# Characters that are obeyed, reorder the text around them, or cannot be seen. The joiners and the
# marks of direction are not among them: ordinary text of some languages needs them.
_C0 = {code: chr(_CONTROL_PICTURES + code) for code in range(0x20) if chr(code) not in "\t\n"}
_C1 = range(0x80, 0xA0)
_SEPARATORS = (0x2028, 0x2029)
_BIDIRECTIONAL = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_ZERO_WIDTH = (0x200B, *range(0x2060, 0x2065), 0xFEFF, *range(0xE0000, 0xE0080))
_VISIBLE = (
    _C0
    | {0x7F: chr(_DELETE_PICTURE)}
    | dict.fromkeys((*_C1, *_SEPARATORS, *_BIDIRECTIONAL, *_ZERO_WIDTH), _REPLACEMENT)
)

_BREAKS = {ord(character): chr(_CONTROL_PICTURES + ord(character)) for character in "\t\n"}


def visible(text: str) -> str:
    """The text with one visible character for each that a terminal would obey or hide.

    Newlines and tabs stay. ESC is shown as its picture, U+241B, and so are the others below U+0020;
    the rest are U+FFFD. The length does not change.
    """
    return text.translate(_VISIBLE)


def one_line(text: str) -> str:
    """As `visible`, for a name or a cell of a table: newlines and tabs are shown too."""
    return visible(text).translate(_BREAKS)


def characters_of(data: bytes) -> Iterator[tuple[str, int]]:
    """The characters of a text in UTF-8, each with its number of bytes.

    A byte that belongs to none is U+FFFD, alone.
    """
    start = 0
    while start < len(data):
        size = _size_in_utf8(data[start])
        try:
            character = data[start : start + size].decode()
        except UnicodeDecodeError:
            character, size = _REPLACEMENT, 1
        yield character, size
        start += size


def character_starts(data: bytes) -> list[str | None]:
    """For each byte the character that begins there, "" inside of one, None for one of no text."""
    starts: list[str | None] = []
    for character, size in characters_of(data):
        is_text = size > 1 or data[len(starts)] < 128
        starts += [character if is_text else None, *[""] * (size - 1)]
    return starts


def _size_in_utf8(first: int) -> int:
    """Bytes of a character that begins with this byte."""
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4


def can_be_shown(text: str) -> bool:
    """Whether the encoding of messages has every character of the text."""
    try:
        text.encode(getattr(sys.stderr, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


_ASCII = (
    dict.fromkeys("‐‑‒–—−─━═╌╍┄┅┈┉╴╶╸╺", "-")
    | dict.fromkeys("│┃║╎╏┆┇┊┋╵╷╹╻", "|")
    | dict.fromkeys("‘’", "'")
    | dict.fromkeys("“”", '"')
    | {"…": "...", "±": "+/-", "×": "x", "²": "2", "•": "*", "·": ".", "→": "->", "≤": "<="}
    | {"≥": ">=", "≈": "~", "\N{NO-BREAK SPACE}": " ", _REPLACEMENT: "?", "█": "#"}
)


def _lookalike(character: str) -> str:
    """An ASCII form: similar where there is one, an escape otherwise."""
    code = ord(character)
    if character in _ASCII:
        return _ASCII[character]
    if 0x2500 <= code < 0x2580:  # corners and crossings of lines
        return "+"
    if 0x2800 <= code < 0x2900:  # dots of curves
        return "." if code > 0x2800 else " "
    if code in range(_CONTROL_PICTURES, _DELETE_PICTURE):
        return f"\\x{code - _CONTROL_PICTURES:02x}"
    if code == _DELETE_PICTURE:
        return "\\x7f"
    if 0xDC80 <= code < 0xDD00:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("ascii", "backslashreplace").decode()


def _encode_lookalikes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_lookalike, error.object[error.start : error.end])), error.end


codecs.register_error(LOOKALIKES, _encode_lookalikes)
