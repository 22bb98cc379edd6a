"""Two wrong tokenizers: one loses bytes, the other counts them incorrectly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import seqzoo


class LowerCase(seqzoo.Tokenizer):
    """Bytes in lower case: fewer tokens to learn, but another text."""

    vocab_size = 256

    def encode(self, data: np.ndarray) -> np.ndarray:
        is_capital = (data >= ord("A")) & (data <= ord("Z"))
        return np.where(is_capital, data + np.uint8(32), data)

    def decode(self, tokens: np.ndarray) -> bytes:
        return tokens.astype(np.uint8).tobytes()

    def byte_lengths(self, tokens: np.ndarray) -> np.ndarray:
        return np.ones(len(tokens), dtype=np.int64)


class Pairs(seqzoo.Tokenizer):
    """Bytes and the 64 most frequent pairs of them, every token counted as one byte."""

    vocab_size = 256 + 64

    def __init__(self) -> None:
        self._set_pairs(list(range(64)))

    def learn(self, training: np.ndarray) -> None:
        counts = np.bincount(training[:-1].astype(np.int64) * 256 + training[1:], minlength=1 << 16)
        self._set_pairs(np.argsort(-counts, kind="stable")[:64].tolist())

    def encode(self, data: np.ndarray) -> np.ndarray:
        ids = self._id_of[data[:-1].astype(np.int64) * 256 + data[1:]]
        ids = np.append(ids, 0)[: len(data)]
        order = np.arange(len(data))
        # Of pairs that overlap in a row, take every second one, beginning with the first.
        before_run = np.maximum.accumulate(np.where(ids == 0, order, -1))
        is_pair = (ids > 0) & ((order - before_run) % 2 == 1)
        is_second = np.append(False, is_pair)[: len(data)]
        return np.where(is_pair, ids, data)[~is_second].astype(np.uint16)

    def decode(self, tokens: np.ndarray) -> bytes:
        return b"".join(self._bytes_of[token] for token in tokens.tolist())

    def byte_lengths(self, tokens: np.ndarray) -> np.ndarray:
        return np.ones(len(tokens), dtype=np.int64)  # the fault: a pair is two bytes

    def state(self) -> Mapping[str, Any]:
        return {"pairs": self._pairs}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._set_pairs(list(state["pairs"]))

    def _set_pairs(self, pairs: list[int]) -> None:
        self._pairs = pairs
        self._id_of = np.zeros(1 << 16, dtype=np.int64)
        self._id_of[pairs] = 256 + np.arange(len(pairs))
        self._bytes_of = [bytes([value]) for value in range(256)]
        self._bytes_of += [bytes(divmod(pair, 256)) for pair in pairs]


@seqzoo.hookimpl
def register_tokenizers() -> list[seqzoo.TokenizerSpec]:
    return [
        seqzoo.TokenizerSpec(
            name="lower_case", summary="bytes in lower case", build=lambda *_: LowerCase()
        ),
        seqzoo.TokenizerSpec(
            name="miscounted_pairs",
            summary="bytes and pairs of bytes, each counted as one",
            build=lambda *_: Pairs(),
        ),
    ]
