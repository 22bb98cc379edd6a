"""Byte pair encoding of any bytes, computed by the package `tokenizers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo import Tokenizer
from seqzoo_plugins.bpe.library import Merges, encoder, learn_merges
from seqzoo_plugins.bpe.words import words_of

__all__ = ["BPETokenizer"]

_MOST_TOKENS = 1 << 16
_MOST_CACHED = 1 << 18


class BPETokenizer(Tokenizer):
    """Byte pair encoding, Sennrich et al. 2016, arXiv:1508.07909, on bytes (Radford et al. 2019).

    Ids 0 to 255 are the bytes; each merge joins two tokens to one that gets the next id. Merges do
    not cross the words of `words_of`, so the tokens of a word do not depend on its surroundings,
    and a text that is cut between two words has the same tokens. `learn` and, after it, `encode`
    raise UsageError if the package is not installed.
    """

    _encode_word: Callable[[bytes], list[int]] | None

    def __init__(self, vocab_size: int) -> None:
        """vocab_size: the most tokens that `learn` makes."""
        self._most = vocab_size
        self._use([])

    def learn(self, training: npt.NDArray[np.uint8]) -> None:
        self._use(learn_merges(words_of(training), self._most))

    def encode(self, data: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        dtype = np.min_scalar_type(self.vocab_size - 1)
        if not self._merges:
            return data.astype(dtype)
        if self._encode_word is None:
            self._encode_word = encoder(self._tokens, self._merges)
        known, encode_word = self._known, self._encode_word
        ids = []
        for word in words_of(data):
            tokens = known.get(word)
            if tokens is None:
                if len(known) >= _MOST_CACHED:
                    known.clear()
                tokens = known[word] = np.array(encode_word(word), dtype=dtype)
            ids.append(tokens)
        return np.concatenate(ids) if ids else np.empty(0, dtype=dtype)

    def decode(self, tokens: npt.NDArray[Any]) -> bytes:
        return b"".join([self._tokens[token] for token in tokens.tolist()])

    def byte_lengths(self, tokens: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        lengths: npt.NDArray[np.int64] = self._lengths[tokens]
        return lengths

    def state(self) -> Mapping[str, Any]:
        """merges: pairs of ids, in the order in which they are applied."""
        return {"merges": [list(pair) for pair in self._merges]}

    def restore(self, state: Mapping[str, Any]) -> None:
        merges = state.get("merges")
        if set(state) != {"merges"} or not isinstance(merges, list):
            raise ValueError(f"expected 'merges', a list of pairs; found {dict(state)!r:.80}")
        self._use(merges)

    def _use(self, merges: Sequence[Any]) -> None:
        """Raises ValueError if a merge is not a pair of ids that exist before it."""
        tokens = {bytes([value]): value for value in range(256)}
        joined = list(tokens)
        for number, pair in enumerate(merges):
            if not _is_pair(pair, below=len(joined)):
                raise ValueError(f"merge {number} is {pair!r:.40}, expected two ids before it")
            token = joined[pair[0]] + joined[pair[1]]
            if token not in tokens:  # two pairs can give the same bytes
                tokens[token] = len(joined)
                joined.append(token)
        if len(joined) > _MOST_TOKENS:
            raise ValueError(f"{len(joined)} tokens, expected {_MOST_TOKENS} or fewer")
        self._merges: Merges = [(left, right) for left, right in merges]
        self._tokens = joined
        self._lengths = np.array([len(token) for token in joined], dtype=np.int64)
        self.vocab_size = len(joined)
        self._known: dict[bytes, npt.NDArray[Any]] = {}
        self._encode_word = None


def _is_pair(pair: Any, *, below: int) -> bool:
    return (
        isinstance(pair, (list, tuple))
        and len(pair) == 2
        and all(type(token) is int and 0 <= token < below for token in pair)
    )
