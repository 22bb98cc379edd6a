"""N-grams that go on counting: every byte is scored, then learnt, before the next one is.

The distributions are those of `kneser_ney`, with counts that grow. Learning the byte at t is one
event for each order j: the string data[t - j .. t] occurs once more. It raises the string's raw
count by one, and, only if the string occurs for the first time, the continuation count of the
string without its first byte. Discounts are estimated anew before each byte.

Nothing of it depends on what is predicted, so all counts at all times are known beforehand: what
the training part gives, plus the sum of the changes at earlier places of the same string or
context, plus for the counts of counts those at all earlier places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqzoo import BaselineScore, Span
from seqzoo_plugins.ngrams.grams import Counts, Grams, Keys, count, pack, predecessors, prefixes
from seqzoo_plugins.ngrams.kneser_ney import Floats, count_counts, estimate_discounts
from seqzoo_plugins.ngrams.occurrences import Occurrences

_BLOCK = 1 << 20
_LAST = np.uint64(255)


def score(
    training: npt.NDArray[np.uint8], splits: Mapping[str, Span], *, max_order: int
) -> Iterator[BaselineScore]:
    """A rung for each order from 0 to max_order; each split begins with the training part's counts.

    Strings that are counted may reach back into the bytes before the split, never before the file.
    """
    readings = {_origin(span): _Reading(span) for span in sorted(splits.values(), key=len)}
    longest = count(training, max_order + 1)
    grams = prefixes(longest, training, longest_length=max_order + 1, length=1)
    for order in range(max_order + 1):
        raw = grams
        continuation: Grams | None = None
        if order < max_order:
            grams = prefixes(longest, training, longest_length=max_order + 1, length=order + 2)
            continuation = Grams(raw.keys, predecessors(grams, raw.keys, length=order + 1))
        for reading in readings.values():
            reading.read(order, raw, continuation, longer=grams)
        yield BaselineScore(
            name=f"order-{order}",
            bits={
                name: float(readings[_origin(span)].bits[: len(span)].sum())
                for name, span in splits.items()
            },
            adaptive=True,
        )


def _origin(span: Span) -> tuple[int, int]:
    """Splits that begin together are one reading: the shorter is the longer's beginning."""
    return id(span.data), span.start


class _Reading:
    """N bytes read in order, beginning with what the training part taught.

    bits: (N,) what each costs under the order that was read last. below: (N,) each byte's
    probability under the continuation model of the order before.
    """

    def __init__(self, span: Span) -> None:
        self.span = span
        self.bits = np.full(len(span), 8.0)
        self.below = np.full(len(span), 1 / 256)

    def read(self, order: int, raw: Grams, continuation: Grams | None, *, longer: Grams) -> None:
        """Score with the raw counts, then move `below` on to the continuation counts.

        longer: the training part's strings that are one byte longer, if there are such orders.
        """
        strings = self._strings(order + 1)
        places = _Places(Occurrences(strings), Occurrences(strings >> np.uint64(8)))
        always = np.ones(len(strings), dtype=np.bool_)
        # Bytes before which the file has no context of this length keep the lower order's.
        reached = slice(len(self.span) - len(strings), None)
        below = self.below[reached]
        probability = self.below.copy()
        probability[reached] = _probability(places, raw, always, below)
        self.bits = -np.log2(probability)
        if continuation is not None:
            is_new = self._is_new(order + 2, longer)[reached]
            self.below[reached] = _probability(places, continuation, is_new, below)

    def _strings(self, length: int) -> Keys:
        """The strings of that length that end in the span, in file order."""
        start = max(0, self.span.start - length + 1)
        return pack(self.span.data[start : self.span.stop], length)

    def _is_new(self, length: int, known: Grams) -> npt.NDArray[np.bool_]:
        """(N,) whether the string of that length that ends there occurs for the first time."""
        strings = self._strings(length)
        occurrences = Occurrences(strings)
        low, high = _stretch(known, occurrences.keys, occurrences.keys)
        is_new = np.zeros(len(self.span), dtype=np.bool_)
        is_new[len(self.span) - len(strings) :][occurrences.firsts] = low == high
        return is_new


class _Places(NamedTuple):
    """N bytes, each with its string of context + byte and with its context."""

    strings: Occurrences
    contexts: Occurrences


def _probability(
    places: _Places, grams: Grams, counted: npt.NDArray[np.bool_], below: Floats
) -> Floats:
    """(N,) of each byte after its context, at its time.

    grams: counts at the beginning. counted: (N,) whether the count of a byte's string rises by one
    after the byte. below: (N,) the lower order's probability.
    """
    strings, contexts = places
    of_string = _stretch(grams, strings.keys, strings.keys)
    first = contexts.keys << np.uint64(8)
    of_context = _stretch(grams, first, first | _LAST)

    counts = strings.spread(_sums(grams.counts, of_string)) + strings.earlier(counted)
    totals = contexts.spread(_sums(grams.counts, of_context)) + contexts.earlier(counted)
    symbols = [  # with a count of 1, of 2 and of 3 or more after the context
        contexts.spread(_sums(grams.counts == 1, of_context))
        + contexts.earlier(_change(counts, counted, 1)),
        contexts.spread(_sums(grams.counts == 2, of_context))
        + contexts.earlier(_change(counts, counted, 2)),
        contexts.spread(_sums(grams.counts >= 3, of_context))
        + contexts.earlier(counted & (counts == 2)),
    ]

    probability = np.empty(len(counts))
    counts_of_counts = count_counts(grams.counts)
    for start in range(0, len(counts), _BLOCK):
        at = slice(start, start + _BLOCK)
        change = np.stack([_change(counts[at], counted[at], k) for k in (1, 2, 3, 4)])
        running = np.cumsum(change, axis=1, dtype=np.int64) + counts_of_counts[:, None]
        discounts = estimate_discounts(running - change)
        counts_of_counts = running[:, -1]

        taken = np.choose(np.minimum(counts[at], 3), discounts)
        given = sum(discounts[k] * symbols[k - 1][at] for k in (1, 2, 3))
        share = 1.0 / np.maximum(totals[at], 1)
        backoff = np.where(totals[at] > 0, given * share, 1.0)
        probability[at] = (counts[at] - taken) * share + backoff * below[at]
    return probability


def _change(counts: Counts, counted: npt.NDArray[np.bool_], k: int) -> npt.NDArray[np.int8]:
    """(N,) by how many more strings have a count of k after each byte than before it."""
    return (counted & (counts == k - 1)).astype(np.int8) - (counted & (counts == k))


def _stretch(
    grams: Grams, first: Keys, last: Keys
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where the strings from `first` to `last`, both inclusive, begin and end among the known."""
    return np.searchsorted(grams.keys, first), np.searchsorted(grams.keys, last, side="right")


def _sums(
    values: npt.NDArray[np.int64] | npt.NDArray[np.bool_],
    stretch: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
) -> Counts:
    """Their sum over each stretch."""
    low, high = stretch
    running = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=running[1:])
    return running[high] - running[low]
