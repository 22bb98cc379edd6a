"""The counts as a part of a model: distributions of the next symbol after every token."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo import Tokenizer
from seqzoo_plugins.counts.contexts import ABSENT, ContextSet, context_keys
from seqzoo_plugins.counts.kinds import TEXT_PARTS, Context, parse_context
from seqzoo_plugins.counts.learned import Learned
from seqzoo_plugins.counts.lookup import Sums
from seqzoo_plugins.counts.options import CountOptions
from seqzoo_plugins.counts.smoothing import UNIFORM, witten_bell
from seqzoo_plugins.counts.table import CountTable
from seqzoo_plugins.counts.text import bytes_of_tokens
from seqzoo_plugins.counts.window import add_window_counts

__all__ = ["EVIDENCE", "CountState", "Counts", "Distributions"]

EVIDENCE = 3
_WORTH_A_THREAD = 256  # places
_31_BITS = (1 << 31) - 1


class CountState(NamedTuple):
    """What was read. recent: (B, W) latest tokens, ABSENT before the text. keys: (B, W, K) of the
    window's contexts that ended at them. parts: (B, len(TEXT_PARTS)) where in the text it ends.
    """

    recent: Int[Tensor, "B W"]
    keys: Int[Tensor, "B W K"]
    parts: Int[Tensor, "B P"]


class Distributions(NamedTuple):
    """What K experts expect after each of N tokens.

    probabilities: (N, K, A), a column for each symbol that any expert knows, and a last one, which
    each of the others has. columns: (V,) the column of each symbol. others: how many have the last.
    evidence: (N, K, EVIDENCE), how much was counted.
    """

    probabilities: Float[Tensor, "N K A"]
    columns: Int[Tensor, " V"]
    others: int
    evidence: Float[Tensor, "N K E"]


class Counts(nn.Module):
    """Distributions after each token, one for each context of the training part and of the window,
    smoothed by Witten-Bell. A context falls back on the one of which it is a refinement.

    In training the counts of the current fold are left out. After `start_adapting` every token that
    is read is counted too.
    """

    def __init__(
        self, options: CountOptions, *, vocab_size: int, tokenizer: Tokenizer | None
    ) -> None:
        """tokenizer: says which bytes a token is; None if ids are bytes."""
        super().__init__()
        kinds = [parse_context(text) for text in options.contexts]
        recent = [parse_context(text) for text in options.window_contexts]
        self.window = options.window
        self.vocab_size = vocab_size
        self.num_experts = len(kinds) + len(recent)
        self.learned: Learned | None = None
        self._learned_weight = options.learned_weight
        self._token_bytes = bytes_of_tokens(vocab_size, tokenizer)
        self.table = CountTable(kinds, self._token_bytes, max_entries=options.max_entries)
        self._contexts = ContextSet.of([*kinds, *recent])
        self._chains = _chains(recent)
        self._parents = _parents(kinds, recent, self._chains)

    def initial_state(self, batch_size: int) -> CountState:
        """The state before the first token."""
        device = self.table.seen.device
        num_window = self.num_experts - len(self.table.kinds)
        shape = (batch_size, self.window)
        return CountState(
            torch.full(shape, ABSENT, device=device),
            torch.full((*shape, num_window), ABSENT, dtype=torch.int32, device=device),
            torch.zeros(batch_size, len(TEXT_PARTS), dtype=torch.int64, device=device),
        )

    def start_adapting(self) -> None:
        """Count every token that is read from now on."""
        self.learned = Learned(len(self.table.kinds), self.vocab_size)

    @torch.no_grad()
    def forward(
        self,
        tokens: Int[Tensor, "B T"],
        state: CountState,
        folds: npt.NDArray[np.int64] | None,
        dtype: torch.dtype,
    ) -> tuple[Distributions, CountState]:
        """After each of `tokens`, N = B * T. folds: (B, T) of the training part, left out."""
        B, T = tokens.shape
        W, known = self.window, len(self.table.kinds)
        read = np.concatenate([_array(state.recent), _array(tokens)], axis=1)
        parts = _array(state.parts).copy()
        keys = context_keys(
            read, parts, self._contexts, self._token_bytes, length=T, bits=self.table.key_bits
        )
        # Enough bits for a window; ABSENT stays what it is.
        recent_keys = np.where(keys[..., known:] == ABSENT, ABSENT, keys[..., known:] & _31_BITS)
        window_keys = np.concatenate([_array(state.keys), recent_keys.astype(np.int32)], axis=1)
        columns, num_columns = self._columns(read)
        shape = (B * T, self.num_experts)
        sums = Sums(
            np.zeros((*shape, num_columns), dtype=_numpy_type(dtype)),
            np.zeros(shape, dtype=_numpy_type(dtype)),
            np.zeros(shape, dtype=_numpy_type(dtype)),
            columns,
        )
        evidence = np.empty((*shape, EVIDENCE), dtype=_numpy_type(dtype))

        def fill(rows: slice) -> None:
            own = slice(rows.start * T, rows.stop * T)
            mine = Sums(sums.counts[own], sums.totals[own], sums.kinds[own], columns)
            mine_keys = keys[rows, :, :known].reshape(-1, known)
            left_out = None if folds is None else folds[rows].reshape(-1)
            self.table.add_counts(mine.of(slice(known)), mine_keys, left_out)
            if self.learned is not None:
                self.learned.read(
                    mine.of(slice(known)), mine_keys, read[0, W:], self._learned_weight
                )
            add_window_counts(
                mine.of(slice(known, None)), read[rows], window_keys[rows], self._chains
            )
            evidence[own] = witten_bell(mine, self._parents, 1 / self.vocab_size)

        _for_rows(B, T, fill)
        after = CountState(
            torch.from_numpy(np.ascontiguousarray(read[:, T:])).to(state.recent.device),
            torch.from_numpy(np.ascontiguousarray(window_keys[:, T:])).to(state.recent.device),
            torch.from_numpy(parts).to(state.recent.device),
        )
        distributions = Distributions(
            torch.from_numpy(sums.counts).to(tokens.device),
            torch.from_numpy(columns).to(tokens.device),
            self.vocab_size - (num_columns - 1),
            torch.from_numpy(evidence).to(tokens.device),
        )
        return distributions, after

    def _columns(self, read: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
        """The column of each symbol, and the number of columns with that of all unknown ones."""
        known = np.append(self.table.seen.cpu().numpy(), False)
        if self.learned is not None:
            known[:-1] |= self.learned.seen
        known[read.reshape(-1)] = True  # ABSENT is the last element
        known = known[:-1]
        last = int(known.sum())
        return np.where(known, np.cumsum(known) - 1, last), last + 1


def _for_rows(B: int, T: int, fill: Any) -> None:
    """Call `fill` for all rows, in as many threads as torch uses if that is worth it."""
    num_threads = min(B, torch.get_num_threads(), B * T // _WORTH_A_THREAD)
    if num_threads <= 1:
        fill(slice(0, B))
        return
    cuts = [B * part // num_threads for part in range(num_threads + 1)]
    with ThreadPoolExecutor(num_threads) as threads:
        list(threads.map(fill, map(slice, cuts[:-1], cuts[1:])))


def _chains(recent: Sequence[Context]) -> list[slice]:
    """Ranges of contexts of which each one refines the one before it."""
    begins = [
        number
        for number, context in enumerate(recent)
        if number == 0 or not context.refines(recent[number - 1])
    ]
    return [slice(*ends) for ends in zip(begins, [*begins[1:], len(recent)], strict=True)]


def _parents(
    kinds: Sequence[Context], recent: Sequence[Context], chains: Sequence[slice]
) -> npt.NDArray[np.int64]:
    """The number of the context on which each one falls back."""
    parents = []
    for number, context in enumerate(kinds):
        coarser = [other for other in range(number) if context.refines(kinds[other])]
        # Without a coarser one: the first, which is the least specific of all.
        first = 0 if number else UNIFORM
        parents.append(max(coarser, key=lambda other: _size(kinds[other]), default=first))
    for number, context in enumerate(recent):
        if any(number == chain.start for chain in chains):
            finer = [other for other, kind in enumerate(kinds) if kind.refines(context)]
            best = max(finer, key=lambda other: _size(kinds[other]), default=len(kinds) - 1)
            parents.append(best)
        else:
            parents.append(len(kinds) + number - 1)
    return np.array(parents)


def _size(context: Context) -> int:
    return len(context.tokens) + len(context.parts)


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    return tensor.cpu().numpy()


def _numpy_type(dtype: torch.dtype) -> type[np.floating[Any]]:
    return np.float64 if dtype == torch.float64 else np.float32
