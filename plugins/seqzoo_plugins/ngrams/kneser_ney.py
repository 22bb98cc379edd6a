"""Interpolated modified Kneser-Ney smoothing over sorted arrays of seen strings.

With c(h, s) the count of symbol s after context h, n(h) its sum over s, and D the discounts,

    P(s | h) = (c(h, s) - D(c(h, s))) / n(h)  +  backoff(h) * P(s | h without its first byte)
    backoff(h) = sum over s of D(c(h, s)) / n(h)

down to the empty context, below which every byte has 1/256, so that no probability is zero. An
unseen context has the shorter context's distribution. Only the longest context uses how often a
string occurs; the shorter ones use how many distinct bytes precede it (Chen and Goodman 1999).

Only strings that occur in the training part are stored. They are enough to compute every
probability and the most probable symbol: a symbol that does not follow h has the shorter context's
probability times backoff(h), so none of them exceeds the shorter context's best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqzoo_plugins.ngrams.grams import Counts, Keys, suffix

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tree:
    """How the U strings (context + symbol) of one order are linked.

    contexts: (C,) the distinct contexts, ascending; starts, sizes: (C,) their range in `keys`.
    parents: (U,) position of each string without its first byte in the lower order's keys.
    context_parents: (C,) the same for contexts. Both are empty for order 0.
    """

    keys: Keys
    contexts: Keys
    starts: npt.NDArray[np.intp]
    sizes: npt.NDArray[np.intp]
    parents: npt.NDArray[np.intp]
    context_parents: npt.NDArray[np.intp]


@dataclass(frozen=True)
class Level:
    """One order's distributions.

    probability: (U,) of each seen string's symbol after its context. backoff: (C,) factor for
    the lower order's probability of every other symbol. best, best_probability: (C,) the
    most probable symbol after each context; the smallest of equal ones.
    """

    probability: Floats
    backoff: Floats
    best: npt.NDArray[np.uint8]
    best_probability: Floats


def make_tree(keys: Keys, *, order: int, lower: Tree | None) -> Tree:
    """The tree of order `order` (U strings of order + 1 bytes) above that of order - 1."""
    prefix = keys >> np.uint64(8)
    starts = np.flatnonzero(np.concatenate([[True], prefix[1:] != prefix[:-1]])[: len(keys)])
    contexts = prefix[starts]
    nowhere = np.empty(0, dtype=np.intp)
    return Tree(
        keys,
        contexts,
        starts,
        np.diff(starts, append=len(keys)),
        nowhere if lower is None else np.searchsorted(lower.keys, suffix(keys, order)),
        nowhere if lower is None else np.searchsorted(lower.contexts, suffix(contexts, order - 1)),
    )


def make_level(tree: Tree, counts: Counts, lower: Level | None) -> Level:
    """The distributions of (U,) counts, interpolated with those of the lower order."""
    discounts = estimate_discounts(count_counts(counts))[np.minimum(counts, 3)]
    totals = np.add.reduceat(counts, tree.starts)
    # A context without counts (a string at the start of the file has no predecessor) uses only the
    # lower order.
    share = 1.0 / np.maximum(totals, 1)
    backoff = np.where(totals > 0, np.add.reduceat(discounts, tree.starts) * share, 1.0)

    def spread(by_context: Floats) -> Floats:
        return np.repeat(by_context, tree.sizes)

    below = 1 / 256 if lower is None else lower.probability[tree.parents]
    probability = (counts - discounts) * spread(share) + spread(backoff) * below

    highest = np.maximum.reduceat(probability, tree.starts)
    symbols = suffix(tree.keys, 1).astype(np.uint8)
    is_highest = probability == spread(highest)
    best = np.minimum.reduceat(np.where(is_highest, symbols, np.uint8(255)), tree.starts)
    if lower is None:
        inherited, inherited_probability = np.zeros_like(best), backoff / 256
    else:
        inherited = lower.best[tree.context_parents]
        inherited_probability = backoff * lower.best_probability[tree.context_parents]
    best = np.where(inherited_probability > highest, inherited, best)
    best = np.where(inherited_probability == highest, np.minimum(inherited, best), best)
    return Level(probability, backoff, best, np.maximum(highest, inherited_probability))


def count_counts(counts: Counts) -> Counts:
    """(4,) number of counts equal to 1, 2, 3 and 4."""
    return np.array([np.count_nonzero(counts == k) for k in (1, 2, 3, 4)], dtype=np.int64)


def estimate_discounts(counts_of_counts: Counts) -> Floats:
    """Discounts of counts 0, 1, 2 and 3 or more; equation 26 where it can be estimated.

    counts_of_counts: (4, ...) number of counts equal to 1, 2, 3 and 4. Returns the same shape.
    Discounts are above 0, because unseen symbols need a share, and at most the count itself. If
    too few counts are small, as in a file of one symbol, the next lower discount is used, or 0.5.
    """
    ones, twos, threes, fours = counts_of_counts
    discounts = np.zeros(np.shape(counts_of_counts))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = ones / (ones + 2 * twos)
        discounts[1] = np.where(ones > 0, ratio, 0.5)
        for at, below, above in ((2, twos, threes), (3, threes, fours)):
            # If `below` is 0 this is NaN or minus infinity, and is not used either.
            estimate = at - (at + 1) * ratio * above / below
            discounts[at] = np.where((ones > 0) & (estimate > 0), estimate, discounts[at - 1])
    return discounts
