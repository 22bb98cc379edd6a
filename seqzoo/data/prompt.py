"""A prompt from a text itself, for a text that nobody has chosen a prompt for."""

from __future__ import annotations

import unicodedata

import numpy as np
import numpy.typing as npt

__all__ = ["prompt_from"]

_LOOKED_AT = 1 << 16
_MAX_BYTES = 40
_ENOUGH = 8
"""Characters; a line such as "}" says little about a text."""
_CONTINUATION = bytes(range(0x80, 0xC0))
_HIDDEN = frozenset({"Cc", "Cn", "Co", "Cs", "Zl", "Zp"})


def prompt_from(text: npt.NDArray[np.uint8]) -> str:
    """The start of the first line that can be shown, whole words, at most 40 bytes of UTF-8.

    text: (N,) uint8, which may begin inside a line or a character. "" if no line can be shown.
    """
    head = text[:_LOOKED_AT].tobytes().replace(b"\r", b"\n")
    first, *lines = head.split(b"\n")
    # The first line may begin inside a word.
    lines.append(first.partition(b" ")[2] or first.lstrip(_CONTINUATION))
    starts = [start for start in map(_start_of, lines) if start]
    return next((start for start in starts if len(start) >= _ENOUGH), starts[0] if starts else "")


def _start_of(line: bytes) -> str:
    whole = line.strip()
    cut = whole[:_MAX_BYTES].decode("utf-8", errors="ignore").rstrip()
    if not whole.startswith(cut.encode()) or not all(map(_can_be_shown, cut)):
        return ""
    if whole[len(cut.encode()) :].split(b" ")[0]:  # the last word goes further
        words, space, _ = cut.rpartition(" ")
        return words.rstrip() if space else cut
    return cut


def _can_be_shown(character: str) -> bool:
    return character == "\t" or unicodedata.category(character) not in _HIDDEN
