"""Words in lines: line breaks, punctuation and capital letters."""

from __future__ import annotations

from collections.abc import Generator
from functools import cache, lru_cache
from typing import Any

from seqzoo_plugins.pastiche.table import Table

__all__ = ["Mark", "Script", "Verse", "fixed"]

Script = Generator[Table, int, Any]
"""A text while it is generated: yields the table of the next choice, receives the chosen index."""

Mark = tuple[str, int, str]
"""Punctuation, its weight, and what follows it; "end" may also end the speech."""

BREAKS = ((28, 0), (32, 2), (36, 5), (40, 9), (44, 13))
"""Probability of a line break before each column, in sixteenths; after the last, always."""


@lru_cache(4096)  # every play has a refrain of its own
def fixed(text: str) -> Table:
    """A text with code length 0, because it is the only one possible here."""
    return Table([(text, 1, None)])


def _breaks(column: int) -> int:
    return next((sixteenths for limit, sixteenths in BREAKS if column < limit), 16)


@cache
def _blanks(breaks: int) -> Table:
    return Table([(" ", 16 - breaks, False), ("\n", breaks, True)])


@cache
def _stops(marks: tuple[Mark, ...], breaks: int, ends: int) -> Table:
    """Every mark with the blank or break after it; `ends`: sixteenths, probability of the end."""
    entries = []
    for mark, weight, leads_to in marks:
        last = 16 if leads_to == "last" else ends if leads_to == "end" else 0
        entries += [
            (mark + " ", weight * (16 - last) * (16 - breaks), (leads_to, False)),
            (mark + "\n", weight * (16 - last) * breaks, (leads_to, True)),
            (mark + "\n\n", weight * last * 16, ("over", True)),
        ]
    return Table(entries)


class Verse:
    """Counts the column; every word and every blank of a speech is written here."""

    def __init__(self) -> None:
        self._column = 0
        self.begins = True  # the next word begins a line or a sentence

    def say(self, table: Table) -> Script:
        """One text of the table, with a capital letter at a beginning; returns its tag."""
        if self.begins:
            table = table.capitalised
            self.begins = False
        index = yield table
        self._column += len(table.texts[index])
        return table.tags[index]

    def word(self, text: str) -> Script:
        """A word without an alternative."""
        yield from self.say(fixed(text))

    def gap(self) -> Script:
        """The blank between two words: a space, or a line break if the line is long."""
        table = _blanks(_breaks(self._column))
        index = yield table
        self._advance(1, broken=table.tags[index])

    def next(self, table: Table) -> Script:
        """A gap and a text of the table; returns its tag."""
        yield from self.gap()
        return (yield from self.say(table))

    def stop(self, marks: tuple[Mark, ...], *, ends: int = 0) -> Script:
        """Punctuation and the blank after it; returns what follows; "over" ends a speech."""
        table = _stops(marks, _breaks(self._column), ends)
        index = yield table
        leads_to, broken = table.tags[index]
        self._advance(len(table.texts[index]), broken=broken)
        return leads_to

    def _advance(self, length: int, *, broken: bool) -> None:
        if broken:
            self._column = 0
            self.begins = True
        else:
            self._column += length
