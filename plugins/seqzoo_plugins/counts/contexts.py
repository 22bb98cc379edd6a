"""Contexts: what of a text a count depends on, and its key at every token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqzoo_plugins.counts.compiled import Array, compiled
from seqzoo_plugins.counts.hashing import extended
from seqzoo_plugins.counts.kinds import Context
from seqzoo_plugins.counts.text import TokenBytes, read_bytes

__all__ = ["ABSENT", "ContextSet", "context_keys"]

ABSENT = -1
"""Stands for a token before the start of a text, and for the key of an incomplete context."""


class ContextSet(NamedTuple):
    """K contexts in a form for compiled loops. reach: tokens that the farthest looks back on.

    first: number of the first context, which is part of the keys.
    ingredients: token distances, and parts as -1 - index, of all contexts, one after the other.
    ends: (K,) where the ingredients of each context end.
    """

    reach: int
    first: int
    ingredients: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, contexts: Sequence[Context], *, first: int = 0) -> ContextSet:
        """first: above 0 for some of a longer list of contexts, which have the same keys there."""
        lists = [[*each.tokens, *(-1 - part for part in each.parts)] for each in contexts]
        return cls(
            max((each.tokens[-1] + 1 for each in contexts if each.tokens), default=0),
            first,
            np.array([one for ingredients in lists for one in ingredients], dtype=np.int64),
            np.cumsum([len(ingredients) for ingredients in lists]).astype(np.int64),
        )


def context_keys(
    tokens: npt.NDArray[np.int64],
    parts: npt.NDArray[np.int64],
    contexts: ContextSet,
    token_bytes: TokenBytes,
    *,
    length: int,
    bits: int,
) -> npt.NDArray[np.int64]:
    """Keys in [0, 2**bits) of the contexts of the last `length` = T tokens of each row: (B, T, K).

    tokens: (B, at least T); those before the last T are needed up to `reach`, and ABSENT or missing
    before the start of a text. parts: (B, len(TEXT_PARTS)) before the last T; it becomes that after
    them. The key of a context that lacks a token is ABSENT.
    """
    B, N = tokens.shape
    missing = max(0, length + contexts.reach - 1 - N)
    if missing:
        tokens = np.concatenate([np.full((B, missing), ABSENT), tokens], axis=1)
    keys = np.empty((B, length, len(contexts.ends)), dtype=np.int64)
    for row in range(B):
        _row_keys(keys[row], tokens[row], parts[row], *contexts[1:], *token_bytes, bits)
    return keys


@compiled
def _row_keys(
    keys: Array,
    tokens: Array,
    parts: Array,
    first: int,
    ingredients: Array,
    ends: Array,
    starts: Array,
    data: Array,
    bits: int,
) -> None:
    T, K = keys.shape
    before = len(tokens) - T
    for time in range(T):
        token = tokens[before + time]
        read_bytes(parts, data[starts[token] : starts[token + 1]])
        begin = 0
        for k in range(K):
            hashed = first + k + 1
            for index in range(begin, ends[k]):
                ingredient = ingredients[index]
                if ingredient < 0:
                    hashed = extended(hashed, parts[-1 - ingredient])
                    continue
                token = tokens[before + time - ingredient]
                if token == ABSENT:
                    hashed = ABSENT
                    break
                hashed = extended(hashed, token)
            begin = ends[k]
            keys[time, k] = hashed if hashed == ABSENT else (hashed >> 8) & ((1 << bits) - 1)
