"""Counts of each symbol after each context: sorted keys, and the symbols of each context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo_plugins.ngram_gate.contexts import context_keys
from seqzoo_plugins.ngram_gate.ranges import places_of

__all__ = ["FOLDS", "NgramTable"]

FOLDS = 8
_FOLD_BITS = 3
_BLOCK = 1 << 20


class NgramTable(nn.Module):
    """Counts of the symbols after contexts of K orders, in total and for each fold.

    The counted text is divided into contiguous folds of equal length. A model that is trained on
    the text gets the counts of the rest: all counts minus those of the current fold. It is not
    enough to leave out the current place only, because a text is similar to its neighbourhood and
    a held-out text is not near: on Shakespeare's bytes, counts of order 5 without the place itself
    predict half a bit better than the same counts predict another play.

    Buffers, C contexts and E entries (a symbol after a context):
    contexts: (C,) keys, ascending. starts, sizes: (C,) its range of the entries.
    symbols, counts: (E,). least: (K,) entries below this count were dropped, by order.
    fold_counts: (E, FOLDS), used in training only and not saved in checkpoints.
    """

    contexts: Tensor
    starts: Tensor
    sizes: Tensor
    symbols: Tensor
    counts: Tensor
    least: Tensor
    fold_counts: Tensor

    def __init__(
        self, vocab_size: int, orders: Sequence[int], *, max_entries: int = 1 << 23
    ) -> None:
        """max_entries: above it the rarest entries of each order are dropped."""
        super().__init__()
        self.vocab_size = vocab_size
        self.orders = tuple(orders)
        self.max_entries = max_entries
        self.length = 0
        self._symbol_bits = max(1, (vocab_size - 1).bit_length())
        self.register_buffer("least", torch.ones(len(orders), dtype=torch.int64))
        self._fill(_Entries.none(), np.ones(len(orders), dtype=np.int64))
        nn.Module.register_load_state_dict_pre_hook(self, _take_sizes)

    def count(self, tokens: npt.NDArray[Any], *, first: int = 0) -> None:
        """Count (N,) tokens and replace all earlier counts.

        first: tokens before this one are used as contexts only.
        """
        self.length = len(tokens)
        budget = max(1, self.max_entries // len(self.orders))
        parts, least = [], []
        for order in self.orders:
            part = self._count_order(tokens, order, first)
            smallest = _smallest_count(part.counts, budget)
            parts.append(part.of_at_least(smallest))
            least.append(smallest)
        entries = _Entries(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        self._fill(entries.sorted(), np.array(least))

    def keys(self, tokens: Int[Tensor, "B N"], length: int) -> Int[Tensor, "B T K"]:
        """Keys of the contexts that end at each of the last `length` tokens."""
        return context_keys(tokens, length, self.orders, bits=self._key_bits)

    def folds(self, places: Tensor) -> Tensor:
        """The fold of the token at each of these places of the counted text."""
        return (places * FOLDS // max(self.length, 1)).clamp(0, FOLDS - 1)

    def add_counts(
        self,
        total: Float[Tensor, "N K V"],
        keys: Int[Tensor, "N K"],
        folds: Int[Tensor, " N"] | None = None,
    ) -> None:
        """Add to `total` how often each symbol followed the contexts, outside the given folds."""
        if not len(self.contexts):
            return
        if folds is not None and len(self.fold_counts) != len(self.counts):
            raise RuntimeError("a loaded table has no counts by fold; count its text again")
        wanted = keys.reshape(-1)
        place = torch.searchsorted(self.contexts, wanted).clamp_(max=len(self.contexts) - 1)
        found = (self.contexts[place] == wanted).nonzero().squeeze(1)
        place = place[found]
        sizes = self.sizes[place]
        query = found.repeat_interleave(sizes)
        entry = places_of(self.starts[place], sizes)
        counts = self.counts[entry]
        if folds is not None:
            K = len(self.orders)
            counts = counts - self.fold_counts[entry, folds[query // K]]
            # As if only the rest had been counted: entries this rare would not be in the table.
            counts = counts * (counts >= self.least[query % K])
        at = query * self.vocab_size + self.symbols[entry]
        total.view(-1).index_add_(0, at, counts.to(total.dtype))

    @property
    def _key_bits(self) -> int:
        return 63 - self._symbol_bits - _FOLD_BITS

    def _count_order(self, tokens: npt.NDArray[Any], order: int, first: int) -> _Entries:
        """Every occurrence is one number, key | symbol | fold; sorted, and equal ones counted.

        Needs 8 bytes per token besides its result and the copy of the distinct numbers.
        """
        N, begin = len(tokens), max(first, order)
        occurrences = np.empty(max(0, N - begin), dtype=np.int64)
        for start in range(begin, N, _BLOCK):
            stop = min(start + _BLOCK, N)
            block = torch.from_numpy(tokens[start - order : stop].astype(np.int64))[None]
            keys = context_keys(block[:, :-1], stop - start, (order,), bits=self._key_bits)
            pairs = (keys[0, :, 0] << self._symbol_bits) | block[0, order:]
            folds = self.folds(torch.arange(start, stop))
            occurrences[start - begin : stop - begin] = ((pairs << _FOLD_BITS) | folds).numpy()
        occurrences.sort()
        starts = _starts(occurrences)
        times = np.diff(starts, append=len(occurrences))
        distinct = occurrences[starts]
        pairs_in_folds = distinct >> _FOLD_BITS
        starts = _starts(pairs_in_folds)
        fold_counts = np.zeros((len(starts), FOLDS), dtype=np.int32)
        row = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(distinct)))
        fold_counts[row, distinct & (FOLDS - 1)] = times
        pair = pairs_in_folds[starts]
        return _Entries(
            pair >> self._symbol_bits,
            (pair & ((1 << self._symbol_bits) - 1)).astype(np.int32),
            fold_counts.sum(1, dtype=np.int32),
            fold_counts,
        )

    def _fill(self, entries: _Entries, least: npt.NDArray[np.int64]) -> None:
        starts = _starts(entries.contexts)
        sizes = np.diff(starts, append=len(entries.contexts))
        arrays = {
            "contexts": entries.contexts[starts],
            "starts": starts.astype(np.int32),
            "sizes": sizes.astype(np.int32),
            "symbols": entries.symbols,
            "counts": entries.counts,
            "least": least,
            "fold_counts": entries.fold_counts,
        }
        device = self.least.device
        for name, values in arrays.items():
            tensor = torch.from_numpy(values).to(device)
            self.register_buffer(name, tensor, persistent=name != "fold_counts")


class _Entries(NamedTuple):
    """E entries of one or more orders. contexts: (E,) keys; fold_counts: (E, FOLDS)."""

    contexts: npt.NDArray[np.int64]
    symbols: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int32]
    fold_counts: npt.NDArray[np.int32]

    @classmethod
    def none(cls) -> _Entries:
        column = np.zeros(0, dtype=np.int32)
        return cls(column.astype(np.int64), column, column, np.zeros((0, FOLDS), dtype=np.int32))

    def of_at_least(self, count: int) -> _Entries:
        if count <= 1:
            return self
        return self._at(self.counts >= count)

    def sorted(self) -> _Entries:
        return self._at(np.argsort(self.contexts, kind="stable"))

    def _at(self, rows: npt.NDArray[Any]) -> _Entries:
        return _Entries(
            self.contexts[rows], self.symbols[rows], self.counts[rows], self.fold_counts[rows]
        )


def _starts(values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """The start of each run of equal values."""
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])[: len(values)])


def _smallest_count(counts: npt.NDArray[np.int32], budget: int) -> int:
    """The smallest count that at most `budget` entries reach."""
    if len(counts) <= budget:
        return 1
    return int(np.partition(counts, len(counts) - budget - 1)[len(counts) - budget - 1]) + 1


def _take_sizes(
    module: nn.Module, state_dict: Mapping[str, Tensor], prefix: str, *_: object
) -> None:
    """Before weights are loaded: allocate a table of their size; if it is another table, drop the
    counts by fold, which belong to the old one.
    """
    for name, buffer in list(module.named_buffers(recurse=False)):
        stored = state_dict.get(prefix + name)
        if stored is None or torch.equal(stored.to(buffer.device), buffer):
            continue
        forgotten = module.get_buffer("fold_counts")[:0]
        module.register_buffer("fold_counts", forgotten, persistent=False)
        if stored.shape != buffer.shape:
            setattr(module, name, buffer.new_empty(stored.shape))
