"""N-grams that continue to count: every byte is scored, then counted, before the next one.

The distributions are those of `kneser_ney`, with counts that grow. Counting the byte at t is one
event for each order j: the string data[t - j .. t] occurs once more. This adds one to the string's
raw count and, only if the string occurs for the first time, to the continuation count of the string
without its first byte. Discounts are estimated again before each byte.

No count depends on a prediction, so all counts at all times can be computed in advance: the count
in the training part, plus the sum of the changes at earlier places of the same string or context;
for the counts of counts, plus the changes at all earlier places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from seqzoo import BaselineScore, Span
from seqzoo_plugins.ngrams.grams import Counts, Keys, count, find, predecessors, prefixes
from seqzoo_plugins.ngrams.kneser_ney import (
    Floats,
    Tree,
    count_counts,
    estimate_discounts,
    make_tree,
)
from seqzoo_plugins.ngrams.occurrences import Occurrences
from seqzoo_plugins.ngrams.scoring import meaning

_BLOCK = 1 << 16  # about twenty arrays of this size fit into the processor's cache


def score(
    training: npt.NDArray[np.uint8], splits: Mapping[str, Span], *, max_order: int
) -> Iterator[BaselineScore]:
    """A rung for each order from 0 to max_order; each split begins with the training part's counts.

    Counted strings may begin in the bytes before the split, but not before the file.
    """
    # If splits begin at the same place, the longest comes last and is kept.
    readings = {_origin(span): _Reading(span) for span in sorted(splits.values(), key=len)}
    longest = count(training, max_order + 1)
    grams = prefixes(longest, training, longest_length=max_order + 1, length=1)
    for order in range(max_order + 1):
        tree = make_tree(grams.keys, order=order, lower=None)
        raw = _Initial(tree, grams.counts)
        continuation = None
        if order < max_order:
            grams = prefixes(longest, training, longest_length=max_order + 1, length=order + 2)
            preceded = predecessors(grams, tree.keys, length=order + 1)
            continuation = _Initial(tree, preceded)
        for reading in readings.values():
            reading.read(order, tree, raw, continuation, longer=grams.keys)
        yield BaselineScore(
            name=f"order-{order}",
            title=f"an order-{order} table",
            meaning=meaning(order),
            context_length=order,
            bits={
                name: float(readings[_origin(span)].bits[: len(span)].sum())
                for name, span in splits.items()
            },
            adaptive=True,
        )


def _origin(span: Span) -> tuple[int, int]:
    """Splits that begin at the same place share one reading; one is a prefix of the other."""
    return int(span.data.ctypes.data), span.start


class _Initial:
    """The (U,) counts of one order after the training part, and their statistics.

    totals: (C,) sum over each context. symbols: three times (C,) how many symbols have a count of
    1, of 2, and of 3 or more there. counts_of_counts: (4,) how many strings have 1, 2, 3 and 4.
    """

    def __init__(self, tree: Tree, counts: Counts) -> None:
        self.counts = counts
        self.totals = np.add.reduceat(counts, tree.starts)
        self.symbols = [
            np.add.reduceat(which, tree.starts, dtype=np.int16)
            for which in (counts == 1, counts == 2, counts >= 3)
        ]
        self.counts_of_counts = count_counts(counts)


class _Reading:
    """N bytes read in order, starting with the counts of the training part.

    bits: (N,) code length of each under the latest order. below: (N,) each byte's probability under
    the continuation model of the order before.
    """

    def __init__(self, span: Span) -> None:
        self.span = span
        self.bits = np.full(len(span), 8.0)
        self.below = np.full(len(span), 1 / 256)
        # The strings of `order` and of order + 1 bytes that end in the span or just before it.
        self._shorter = Occurrences.of_nothing(len(span) + 1)
        self._strings = self._extended(self._shorter, 0)

    def read(
        self,
        order: int,
        tree: Tree,
        raw: _Initial,
        continuation: _Initial | None,
        *,
        longer: Keys,
    ) -> None:
        """Score with the raw counts, then update `below` with the continuation counts.

        longer: the training part's strings of order + 2 bytes, where there is a continuation.
        """
        strings = self._inside(self._strings, order + 1)
        places = _Places(tree, strings, self._shorter.without_last())
        # Bytes without a context of this length, at the start of the file, keep the lower order's.
        reached = slice(len(self.span) - len(strings), None)
        probability = self.below.copy()
        always = np.ones(len(strings), dtype=np.bool_)
        probability[reached] = places.probability(raw, always, self.below[reached])
        self.bits = -np.log2(probability)
        if continuation is not None:
            self._shorter, self._strings = self._strings, self._extended(self._strings, order + 1)
            is_new = self._is_new(self._inside(self._strings, order + 2), longer)
            self.below[reached] = places.probability(
                continuation, is_new[reached], self.below[reached]
            )

    def _extended(self, strings: Occurrences, length: int) -> Occurrences:
        """From the strings of that length to the strings with one byte more."""
        stop = self.span.stop - length
        if len(strings) > stop:  # the first has nothing before it
            strings = strings.without_first()
        return strings.extended(self.span.data[stop - len(strings) : stop], length)

    def _inside(self, strings: Occurrences, length: int) -> Occurrences:
        """Without the one that ends just before the span, if there is one."""
        return strings.without_first() if self.span.start >= length else strings

    def _is_new(self, strings: Occurrences, known: Keys) -> npt.NDArray[np.bool_]:
        """(N,) whether the string that ends there occurs for the first time."""
        _, is_known = find(known, strings.keys)
        is_new = np.zeros(len(self.span), dtype=np.bool_)
        is_new[len(self.span) - len(strings) :][strings.firsts] = ~is_known
        return is_new


class _Places:
    """N bytes, each with its string of context + byte and with its context."""

    def __init__(self, tree: Tree, strings: Occurrences, contexts: Occurrences) -> None:
        self._strings, self._contexts = strings, contexts
        self._string_found = find(tree.keys, strings.keys)
        self._context_found = find(tree.contexts, contexts.keys)

    def probability(
        self, initial_counts: _Initial, counted: npt.NDArray[np.bool_], below: Floats
    ) -> Floats:
        """(N,) probability of each byte after its context, with the counts at that time.

        counted: (N,) whether the count of a byte's string rises by one after the byte.
        below: (N,) the lower order's probability.
        """

        def of_context(initial: Counts, changes: npt.NDArray[np.int8]) -> Counts:
            return self._contexts.running(_pick(initial, *self._context_found), changes)

        counts = self._strings.running(_pick(initial_counts.counts, *self._string_found), counted)
        totals = of_context(initial_counts.totals, counted.view(np.int8))
        symbols = [
            of_context(initial_counts.symbols[0], _change(counts, counted, 1)),
            of_context(initial_counts.symbols[1], _change(counts, counted, 2)),
            of_context(initial_counts.symbols[2], (counted & (counts == 2)).view(np.int8)),
        ]
        probability = np.empty(len(counts))
        counts_of_counts = initial_counts.counts_of_counts
        for start in range(0, len(counts), _BLOCK):
            at = slice(start, start + _BLOCK)
            change = np.stack([_change(counts[at], counted[at], k) for k in (1, 2, 3, 4)])
            running = np.cumsum(change, axis=1, dtype=np.int64) + counts_of_counts[:, None]
            discounts = estimate_discounts(running - change)
            counts_of_counts = running[:, -1]

            taken = np.choose(np.minimum(counts[at], 3), discounts)
            given = sum(discounts[k + 1] * symbols[k][at] for k in range(3))
            share = 1.0 / np.maximum(totals[at], 1)
            backoff = np.where(totals[at] > 0, given * share, 1.0)
            probability[at] = (counts[at] - taken) * share + backoff * below[at]
        return probability


def _pick(values: Counts, place: npt.NDArray[np.intp], is_there: npt.NDArray[np.bool_]) -> Counts:
    """The values at those places, 0 where a place is absent."""
    picked = np.zeros(len(place), dtype=np.int64)
    picked[is_there] = values[place[is_there]]
    return picked


def _change(counts: Counts, counted: npt.NDArray[np.bool_], k: int) -> npt.NDArray[np.int8]:
    """(N,) change in the number of strings with count k by each byte."""
    change: npt.NDArray[np.int8] = (counted & (counts == k - 1)).astype(np.int8)
    change -= counted & (counts == k)
    return change
