"""Counts of each symbol after each context of the training part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from seqzoo_plugins.counts.contexts import ABSENT, ContextSet, context_keys
from seqzoo_plugins.counts.kinds import TEXT_PARTS, Context
from seqzoo_plugins.counts.lookup import Entries, Sums, add_entries, slots_of
from seqzoo_plugins.counts.text import TokenBytes

__all__ = ["FOLDS", "CountTable"]

FOLDS = 8
_FOLD_BITS = 3
_BLOCK = 1 << 20


class CountTable(nn.Module):
    """Counts of the symbols after K kinds of contexts, in total and by fold.

    The counted text is divided into contiguous folds of equal length. A model that is trained on
    the text gets the counts of the rest: all counts minus those of the current fold. It is not
    enough to leave out the current place only, because a text is similar to its neighbourhood and
    a held-out text is not near: on Shakespeare's bytes, counts of order 5 without the place itself
    predict half a bit better than the same counts predict another play.

    Buffers, C contexts and E entries (a symbol after a context):
    contexts: (C,) keys, ascending. sizes: (C,) entries of each. symbols, counts: (E,).
    seen: (V,) the symbols of the text.
    Counts by fold are used in training only and are not saved in checkpoints.
    """

    contexts: Tensor
    sizes: Tensor
    symbols: Tensor
    counts: Tensor
    seen: Tensor

    def __init__(
        self,
        kinds: Sequence[Context],
        token_bytes: TokenBytes,
        *,
        max_entries: int = 1 << 23,
    ) -> None:
        """max_entries: above it the rarest entries are dropped."""
        super().__init__()
        self.kinds = tuple(kinds)
        self.max_entries = max_entries
        self.length = 0
        self._token_bytes = token_bytes
        self.vocab_size = len(token_bytes.starts) - 1
        symbol_bits = max(1, (self.vocab_size - 1).bit_length())
        self.key_bits = 63 - symbol_bits - _FOLD_BITS
        self._symbol_bits = symbol_bits
        self._symbol_type = np.uint8 if self.vocab_size <= 256 else np.int32
        self._entries: Entries | None = None
        self._without_folds: npt.NDArray[np.int32] | None = None
        self.register_buffer("seen", torch.zeros(self.vocab_size, dtype=torch.bool))
        self._fill([self._count_kind(np.zeros(0, dtype=np.uint8), 0, kinds[0])])
        nn.Module.register_load_state_dict_pre_hook(self, _take_sizes)

    def count(self, tokens: npt.NDArray[Any]) -> None:
        """Count (N,) tokens and replace all earlier counts."""
        self.length = len(tokens)
        parts = []
        left = self.max_entries
        for number, kind in enumerate(self.kinds):
            counted = self._count_kind(tokens, number, kind)
            # What one kind leaves is for the next ones.
            smallest = _smallest_count(counted.counts, max(1, left // (len(self.kinds) - number)))
            parts.append(counted.of_at_least(smallest))
            left -= len(parts[-1].counts)
        seen = np.bincount(tokens, minlength=self.vocab_size) > 0
        self.seen = torch.from_numpy(seen).to(self.seen.device)
        self._fill(parts)

    def folds(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The fold of the token at each of these places of the counted text."""
        return np.clip(places * FOLDS // max(self.length, 1), 0, FOLDS - 1)

    def add_counts(
        self,
        sums: Sums,
        keys: npt.NDArray[np.int64],
        folds: npt.NDArray[np.int64] | None = None,
    ) -> None:
        """Add how often each symbol followed (N, K) contexts, outside the given folds, (N,)."""
        if folds is None:
            add_entries(sums, keys, np.zeros(len(keys), dtype=np.int64), self._ready())
            return
        if self._without_folds is None:
            raise RuntimeError("a loaded table has no counts by fold; count its text again")
        add_entries(sums, keys, folds, self._ready()._replace(counts=self._without_folds))

    def _count_kind(self, tokens: npt.NDArray[Any], number: int, kind: Context) -> _Counted:
        """Every occurrence is one number, key | symbol | fold; sorted, and equal ones counted.

        Needs 8 bytes per token besides its result and the copy of the distinct numbers.
        """
        N = len(tokens)
        one = ContextSet.of([kind], first=number)
        parts = np.zeros((1, len(TEXT_PARTS)), dtype=np.int64)
        occurrences = np.empty(max(0, N - 1), dtype=np.int64)
        for start in range(0, N - 1, _BLOCK):
            stop = min(start + _BLOCK, N - 1)
            block = tokens[max(0, start - one.reach) : stop + 1].astype(np.int64)
            keys = context_keys(
                block[None, :-1],
                parts,
                one,
                self._token_bytes,
                length=stop - start,
                bits=self.key_bits,
            )[0, :, 0]
            following = block[len(block) - len(keys) :]
            folds = self.folds(np.arange(start + 1, stop + 1))
            whole = (((keys << self._symbol_bits) | following) << _FOLD_BITS) | folds
            occurrences[start:stop] = np.where(keys == ABSENT, ABSENT, whole)
        occurrences.sort()
        occurrences = occurrences[np.searchsorted(occurrences, 0) :]
        starts = _starts(occurrences)
        times = np.diff(starts, append=len(occurrences)).astype(np.int32)
        distinct = occurrences[starts]
        pairs = distinct >> _FOLD_BITS
        starts = _starts(pairs)
        row = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(pairs)))
        by_fold = np.zeros((FOLDS, len(starts)), dtype=np.int32)
        by_fold[distinct & (FOLDS - 1), row] = times
        pair = pairs[starts]
        return _Counted(
            pair >> self._symbol_bits,
            (pair & ((1 << self._symbol_bits) - 1)).astype(self._symbol_type),
            by_fold.sum(0, dtype=np.int32),
            by_fold,
        )

    def _fill(self, parts: Sequence[_Counted]) -> None:
        """Join the entries of all kinds, by ascending key."""
        keys = np.concatenate([part.keys for part in parts])
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = _starts(keys)
        arrays = {
            "contexts": keys[starts],
            "sizes": np.diff(starts, append=len(keys)).astype(np.int32),
            "symbols": np.concatenate([part.symbols for part in parts])[order],
            "counts": np.concatenate([part.counts for part in parts])[order],
        }
        for name, values in arrays.items():
            self.register_buffer(name, torch.from_numpy(values).to(self.seen.device))
        self._without_folds = np.empty((FOLDS, len(keys)), dtype=np.int32)
        for fold in range(FOLDS):
            np.concatenate([part.without(fold) for part in parts]).take(
                order, out=self._without_folds[fold]
            )
        self._entries = None

    def forget_folds(self) -> None:
        """Before other counts are loaded."""
        self._without_folds = None
        self._entries = None

    def _ready(self) -> Entries:
        """The entries with their slots, made at the first use."""
        if self._entries is None:
            contexts, sizes, symbols, counts = (
                buffer.cpu().numpy()
                for buffer in (self.contexts, self.sizes, self.symbols, self.counts)
            )
            slots = slots_of(contexts, np.cumsum(sizes, dtype=np.int64))
            self._entries = Entries(slots, symbols, counts[None])
        return self._entries


class _Counted(NamedTuple):
    """E entries of one kind. keys: (E,) of their contexts, ascending. by_fold: (FOLDS, E).
    least: smaller counts were dropped.
    """

    keys: npt.NDArray[np.int64]
    symbols: npt.NDArray[np.integer]
    counts: npt.NDArray[np.int32]
    by_fold: npt.NDArray[np.int32]
    least: int = 1

    def of_at_least(self, count: int) -> _Counted:
        if count <= 1:
            return self
        kept = self.counts >= count
        return _Counted(
            self.keys[kept], self.symbols[kept], self.counts[kept], self.by_fold[:, kept], count
        )

    def without(self, fold: int) -> npt.NDArray[np.int32]:
        """The counts of the other folds, as if only they had been counted: rare ones are 0."""
        counts: npt.NDArray[np.int32] = self.counts - self.by_fold[fold]
        counts[counts < self.least] = 0
        return counts


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
    if not isinstance(module, CountTable):
        return
    for name, buffer in list(module.named_buffers(recurse=False)):
        stored = state_dict.get(prefix + name)
        if stored is None or torch.equal(stored.to(buffer.device), buffer):
            continue
        module.forget_folds()
        if stored.shape != buffer.shape:
            setattr(module, name, buffer.new_empty(stored.shape))
