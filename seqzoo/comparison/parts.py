"""Where scores differ: by class of byte, and by distance from the start of the split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seqzoo.results.result import PartScore, SplitScore

__all__ = ["PartRow", "rows_by_class", "rows_by_distance", "share_of", "shares_are_equal"]


@dataclass(frozen=True)
class PartRow:
    """Some of a split's bytes, in every run; None where a run does not have it.

    shares: of the split's bytes. bits_per_byte: of these bytes alone. contributions: what they add
    to the difference of the whole split from the first run's; all parts add up to it. None for the
    first run, and for one that is not comparable with it.
    """

    name: str
    shares: tuple[float | None, ...]
    bits_per_byte: tuple[float | None, ...]
    contributions: tuple[float | None, ...]


def shares_are_equal(rows: Iterable[PartRow]) -> bool:
    """Whether all runs that have a part have the same share of bytes in it."""
    return all(len({share for share in row.shares if share is not None}) < 2 for row in rows)


def share_of(row: PartRow, *, are_equal: bool) -> float | None:
    """The share of all runs where they are equal, otherwise that of the first."""
    known = [share for share in row.shares if share is not None]
    return known[0] if are_equal and known else row.shares[0]


def rows_by_class(
    scores: Sequence[SplitScore | None], may_subtract: Sequence[bool]
) -> tuple[PartRow, ...]:
    """A row for each class that occurs; empty where no score is kept by class.

    may_subtract: whether each run is comparable with the first.
    """
    parts = [{part.name: part for part in score.by_class} if score else {} for score in scores]
    return _rows(parts, scores, may_subtract)


def rows_by_distance(
    scores: Sequence[SplitScore | None], may_subtract: Sequence[bool]
) -> tuple[PartRow, ...]:
    """A row for each range of distances; the ranges join the doublings of the results."""
    parts = [_in_ranges(score.by_distance) if score else {} for score in scores]
    return _rows(parts, scores, may_subtract)


_RANGES = ((4096, "4 k–…"), (1024, "1 k–4 k"), (256, "256–1023"), (64, "64–255"), (16, "16–63"))


def _in_ranges(parts: Iterable[PartScore]) -> dict[str, PartScore]:
    merged: dict[str, PartScore] = {}
    for part in parts:
        first = int(part.name) if part.name.isdecimal() else 0
        name = next((name for start, name in _RANGES if first >= start), "0–15")
        before = merged.get(name, PartScore(name=name, bits=0, bytes=0))
        merged[name] = PartScore(
            name=name, bits=before.bits + part.bits, bytes=before.bytes + part.bytes
        )
    return merged


def _rows(
    parts: Sequence[Mapping[str, PartScore]],
    scores: Sequence[SplitScore | None],
    may_subtract: Sequence[bool],
) -> tuple[PartRow, ...]:
    """The parts of each run by name, turned into rows."""
    rows = []
    for name in dict.fromkeys(name for each in parts for name in each):
        shares, bits_per_byte = [], []
        contributions: list[float | None] = []
        for index, (each, score) in enumerate(zip(parts, scores, strict=True)):
            part = each.get(name)
            shares.append(part.bytes / score.bytes if part and score else None)
            bits_per_byte.append(part.bits / part.bytes if part and part.bytes else None)
            # A run that keeps no parts has none to subtract, even where its whole score has.
            if index and may_subtract[index] and score and each and parts[0]:
                bits = [one[name].bits if name in one else 0.0 for one in (parts[0], each)]
                contributions.append((bits[1] - bits[0]) / score.bytes)
            else:
                contributions.append(None)
        rows.append(PartRow(name, tuple(shares), tuple(bits_per_byte), tuple(contributions)))
    return tuple(rows)
