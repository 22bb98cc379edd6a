"""Texts of strangers as cells of CSV and Markdown: never a formula, a heading or markup."""

from __future__ import annotations

from typing import Any

from seqzoo.terminal.characters import one_line

__all__ = ["csv_cell", "markdown_cell"]

_FORMULA = ("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
            "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip
"""What formulas begin with in the spreadsheets of any language."""

_MARKUP = frozenset("\\|*_`~$&!<>[]")


def csv_cell(value: Any) -> Any:
    """A value for the csv module; a text that a spreadsheet would calculate gets an apostrophe."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def markdown_cell(text: str) -> str:
    """A text on one line in which Markdown finds no markup."""
    return "".join(f"\\{each}" if each in _MARKUP else each for each in one_line(text))
