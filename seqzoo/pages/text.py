"""Texts in a page, byte by byte: coloured runs of characters, and labels of single tokens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from seqzoo.terminal.characters import characters_of, one_line, visible

__all__ = ["coloured", "token_label"]

_MARKS = {" ": "␣", "\n": "↵", "\t": "⇥"}


def coloured(data: bytes, classes: Sequence[str]) -> Markup:
    """A text whose characters have the classes of their first bytes; "" for none.

    A line end with a class is shown as ↵ too.
    """
    parts: list[tuple[str, str]] = []
    start = 0
    for character, size in characters_of(data):
        kind = classes[start]
        parts.append((kind, "↵\n" if kind and character == "\n" else visible(character)))
        start += size
    shown = (
        (kind, "".join(text for _, text in group))
        for kind, group in groupby(parts, key=lambda part: part[0])
    )
    return Markup("").join(
        Markup('<span class="{}">{}</span>').format(kind, text) if kind else text
        for kind, text in shown
    )


def token_label(text: bytes) -> str:
    """A token in a few visible characters; bytes that are no text as \\xD0, one for each."""
    if not text:
        return "…"  # a part of a symbol
    try:
        characters = text.decode()
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02X}" for byte in text)
    return one_line("".join(_MARKS.get(character, character) for character in characters))
