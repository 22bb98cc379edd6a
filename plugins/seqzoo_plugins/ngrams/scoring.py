"""Code lengths and guesses of all orders on a split, from the split's distinct strings.

A static model gives a byte the same cost wherever its context occurs again, so a split is scored as
a weighted sum over its distinct strings of context + byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqzoo import BaselineScore, Span
from seqzoo_plugins.ngrams.grams import Keys, count, find, pack, predecessors, prefixes, suffix
from seqzoo_plugins.ngrams.kneser_ney import Level, Tree, make_level, make_tree

_BLOCK = 1 << 20


def score(
    training: npt.NDArray[np.uint8], splits: Mapping[str, Span], *, max_order: int
) -> Iterator[BaselineScore]:
    """A rung for each order from 0 to max_order, all from one count of the training part.

    Accuracy is exact: the guess is the most probable symbol, the smallest of equal ones. If the
    training part is too short for an order, the longest possible order is used instead.
    """
    pieces = [_Piece(span, max_order) for span in _cut(splits)]
    longest = count(training, max_order + 1)
    grams = prefixes(longest, training, longest_length=max_order + 1, length=1)
    tree: Tree | None = None
    level: Level | None = None
    for order in range(max_order + 1):
        is_last = order == max_order
        lower = level
        if len(grams.keys):
            tree = make_tree(grams.keys, order=order, lower=tree)
            top = make_level(tree, grams.counts, lower)
            if not is_last:
                grams = prefixes(longest, training, longest_length=max_order + 1, length=order + 2)
                level = make_level(tree, predecessors(grams, tree.keys, length=order + 1), lower)
            for piece in pieces:
                piece.read(order, tree, top, None if is_last else level)
        yield BaselineScore(
            name=f"order-{order}",
            title=f"an order-{order} table",
            meaning=meaning(order),
            context_length=order,
            bits={
                name: sum(p.bits for p in _within(pieces, span)) for name, span in splits.items()
            },
            accuracy={
                name: sum(p.correct for p in _within(pieces, span)) / len(span)
                for name, span in splits.items()
                if len(span)
            },
        )


def meaning(order: int) -> str:
    """What a table of this order is, in one sentence."""
    if order == 0:
        return "An order-0 table knows only how often each byte occurs in the training text."
    before = "byte" if order == 1 else f"{order} bytes"
    return f"An order-{order} table predicts each byte from the {before} before it."


class _Piece:
    """A part of the corpus: its Q distinct strings of max_order + 1 bytes, and their state.

    weights: (Q,) number of occurrences. reach: (Q,) number of context bytes that exist, fewer than
    max_order at the start of the corpus. below, best: (Q,) the last byte's probability and the most
    probable byte under the continuation model of the order before. bits, correct: of the latest
    order.
    """

    def __init__(self, span: Span, max_order: int) -> None:
        self.span = span
        grams = count(span.data[max(0, span.start - max_order) : span.stop], max_order + 1)
        # Sorted from the last byte backwards: strings with the same suffix are neighbours, so a
        # lookup uses what the previous one loaded into the processor's cache.
        order = np.argsort(grams.keys.byteswap())
        early = range(span.start, min(span.stop, max_order))
        opening = [pack(span.data[: index + 1], index + 1) for index in early]
        self.keys: Keys = np.concatenate([grams.keys[order], *opening])
        self.weights = np.concatenate([grams.counts[order], np.ones(len(opening), dtype=np.int64)])
        self.reach = np.concatenate([np.full(len(order), max_order), early]).astype(np.uint8)
        self.below = np.full(len(self.keys), 1 / 256)
        self.best = np.zeros(len(self.keys), dtype=np.uint8)
        self.bits = 8.0 * len(span)
        self.correct = int(self.weights[suffix(self.keys, 1) == 0].sum())

    def read(self, order: int, tree: Tree, top: Level, level: Level | None) -> None:
        """Score with `top`, then update `below` and `best` with `level`."""
        self.bits, self.correct = 0.0, 0
        for start in range(0, len(self.keys), _BLOCK):
            block = slice(start, start + _BLOCK)
            keys = suffix(self.keys[block], order + 1)
            found = _look_up(tree, keys, reaches=self.reach[block] >= order)
            below, best, weights = self.below[block], self.best[block], self.weights[block]
            probability, guess = found.apply(top, below, best)
            self.bits -= float(weights @ np.log2(probability))
            self.correct += int(weights[guess == suffix(keys, 1)].sum())
            if level is not None:
                self.below[block], self.best[block] = found.apply(level, below, best)


class _Found(NamedTuple):
    """Positions of Q strings and their contexts in a tree, and if they are in it; (Q,) each."""

    string: npt.NDArray[np.intp]
    is_seen: npt.NDArray[np.bool_]
    context: npt.NDArray[np.intp]
    is_context_seen: npt.NDArray[np.bool_]

    def apply(
        self, level: Level, below: npt.NDArray[np.float64], best: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
        """From the lower order's (probability, guess) of each string to this level's."""
        unseen = np.where(self.is_context_seen, level.backoff[self.context] * below, below)
        return (
            np.where(self.is_seen, level.probability[self.string], unseen),
            np.where(self.is_context_seen, level.best[self.context], best),
        )


def _look_up(tree: Tree, keys: Keys, *, reaches: npt.NDArray[np.bool_]) -> _Found:
    """reaches: (Q,) False where the context would begin before the file."""
    string, is_seen = find(tree.keys, keys)
    context, is_context_seen = find(tree.contexts, keys >> np.uint64(8))
    return _Found(string, is_seen & reaches, context, is_context_seen & reaches)


def _cut(splits: Mapping[str, Span]) -> list[Span]:
    """The splits, cut at every start and end of a split, so that shared bytes are scored once."""
    pieces = []
    by_place: dict[int, list[Span]] = {}
    for span in splits.values():
        if len(span):
            by_place.setdefault(_place(span), []).append(span)
    for spans in by_place.values():
        data = max(spans, key=lambda span: span.stop).data
        edges = sorted({edge for span in spans for edge in (span.start, span.stop)})
        for start, stop in pairwise(edges):
            if any(span.start <= start and stop <= span.stop for span in spans):
                pieces.append(Span(data, start, stop))
    return pieces


def _place(span: Span) -> int:
    """Where its corpus is in memory: each span has a view of its own, which ends where it ends."""
    return int(span.data.ctypes.data)


def _within(pieces: list[_Piece], span: Span) -> Iterator[_Piece]:
    for piece in pieces:
        same = _place(piece.span) == _place(span)
        if same and span.start <= piece.span.start and piece.span.stop <= span.stop:
            yield piece
