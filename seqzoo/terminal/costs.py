"""How surprising each byte of a text was, as colours: the scale, and the text for a terminal."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from rich.text import Text

from seqzoo.terminal.characters import characters_of, visible

__all__ = ["COST_LEVELS", "coloured_by_cost", "cost_legend", "cost_level"]

_EDGES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Bits at which a level begins; below 1 bit, a byte was more probable than all others together."""

COST_LEVELS = ("under 0.5 bits", "0.5 to 1", "1 to 2", "2 to 4", "4 to 8", "8 or more")
"""The levels in words, the cheapest first."""

# From pale yellow to dark red, so that the order is visible without telling colours apart; every
# level has a colour for its letters too, because a terminal may be dark or light.
_STYLES = (
    "",
    "black on #ffeda0",
    "black on #fecc5c",
    "black on #fd8d3c",
    "#ffffff on #b30000",
    "#ffffff on #67000d",
)


def cost_level(bits: float) -> int:
    """The index in COST_LEVELS of a cost."""
    return bisect_right(_EDGES, bits)


def coloured_by_cost(data: bytes, bits: Sequence[float]) -> Text:
    """A text with the cost of each of its bytes as background; bits: one for each byte.

    A character of several bytes has the sum of their costs. Line ends and spaces that were a
    surprise are shown as ↵ and ␣.
    """
    text = Text()
    start = 0
    for character, size in characters_of(data):
        level = cost_level(sum(bits[start : start + size]))
        start += size
        if level and character == "\n":
            text.append("↵", _STYLES[level])
            text.append("\n")
        else:
            shown = "␣" if level > 1 and character == " " else visible(character)
            text.append(shown, _STYLES[level])
    return text


def cost_legend() -> Text:
    """The scale in one line."""
    text = Text("bits: ")
    for words, style in zip(COST_LEVELS, _STYLES, strict=True):
        text.append(f" {words.removesuffix(' bits')} ", style)
    return text
