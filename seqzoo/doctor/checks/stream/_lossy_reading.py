"""What usual code makes of a text while it reads it: line ends, white space and case are lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

__all__ = ["LINE_ENDS", "LOSSES", "LOSSES_AND_CASE", "lowered"]

Change: TypeAlias = Callable[[bytes], bytes]


def lowered(text: bytes) -> bytes:
    """In lower case, also beyond ASCII if it is UTF-8."""
    if text.isascii():
        return text.lower()
    try:
        return text.decode("utf-8", errors="strict").lower().encode()
    except UnicodeDecodeError:
        return text.lower()


LINE_ENDS: Mapping[str, Change] = {
    "line ends \\r\\n of the corpus are \\n": lambda text: text.replace(b"\r\n", b"\n"),
    "line ends \\n of the corpus are \\r\\n": lambda text: re.sub(rb"\r?\n", b"\r\n", text),
}

_WHITE_SPACE: Mapping[str, tuple[str, Change]] = {
    "line ends (newlines) are lost": (
        "newlines",
        lambda text: text.replace(b"\r", b"").replace(b"\n", b""),
    ),
    "each line end (newline) became a space": (
        "newlines",
        lambda text: re.sub(rb"\r?\n", b" ", text),
    ),
    "spaces and line ends are joined into one space": (
        "white space",
        lambda text: re.sub(rb"\s+", b" ", text),
    ),
    "empty lines are lost": ("empty lines", lambda text: re.sub(rb"(\r?\n)(\r?\n)+", rb"\1", text)),
    "spaces at the ends of lines are lost": (
        "spaces",
        lambda text: re.sub(rb"[ \t]*(\r?\n)[ \t]*", rb"\1", text),
    ),
    "spaces are lost": ("spaces", lambda text: text.replace(b" ", b"")),
}


def _and_lowered(change: Change) -> Change:
    return lambda text: lowered(change(text))


LOSSES: dict[str, tuple[str, Change]] = {
    **_WHITE_SPACE,
    "upper case became lower case": ("upper case", lowered),
    "everything but letters is lost": (
        "all but letters",
        lambda text: re.sub(rb"[^A-Za-z]", b"", text),
    ),
    "everything but letters and spaces is lost": (
        "all but letters and spaces",
        lambda text: re.sub(rb"[^A-Za-z ]", b"", text),
    ),
    "everything but lower-case letters and single spaces is lost": (
        "all but lower-case letters",
        lambda text: re.sub(rb"[^a-z]+", b" ", text.lower()),
    ),
    "it runs from the end of the text to its beginning": (
        "to predict what comes next",
        lambda text: text[::-1],
    ),
}
"""What is said of each loss, what the model never learns, and the text after it."""

LOSSES_AND_CASE: dict[str, tuple[str, Change]] = {
    f"upper case became lower case, and {what}": (f"upper case and {lost}", _and_lowered(change))
    for what, (lost, change) in _WHITE_SPACE.items()
}
"""The same for losses of white space in a text of which upper case is lost too."""
