"""Text as tokens: a whole split in one array, with all that scoring needs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo.errors import PluginError
from seqzoo.plugin.contracts import Tokenizer
from seqzoo.plugin.span import Span

__all__ = ["EncodedText", "EncodedTraining", "encode", "encode_span", "first_input_of"]

_BLOCK_BYTES = 1 << 24
_BLOCK_TOKENS = 1 << 20


@dataclass(frozen=True)
class EncodedText:
    """Bytes as tokens, with the token before them.

    data: (N,) uint8. tokens: (M,) unsigned integers. lengths: (M,) raw bytes of each token.
    first_input: the token before them, from which the first one is predicted.
    """

    data: npt.NDArray[np.uint8]
    tokens: npt.NDArray[Any]
    lengths: npt.NDArray[np.int64]
    first_input: int


def encode_span(tokenizer: Tokenizer, span: Span) -> EncodedText:
    """A span as tokens; the first input is the last token before it, or 0 at the file's start."""
    tokens = encode(tokenizer, span.bytes)
    lengths = tokenizer.byte_lengths(tokens)
    if (total := int(lengths.sum())) != len(span):
        raise PluginError(
            f"byte_lengths of tokenizer {type(tokenizer).__name__} add up to {total:,} for a "
            f"text of {len(span):,} bytes, so its score cannot be computed; fix the tokenizer "
            f"(seqzoo check shows the smallest text)."
        )
    return EncodedText(
        data=span.bytes,
        tokens=tokens,
        lengths=lengths,
        first_input=first_input_of(tokenizer, span),
    )


def first_input_of(tokenizer: Tokenizer, span: Span) -> int:
    """The token before a span, from which its first one is predicted; 0 at the file's start."""
    before = tokenizer.encode(span.before(64))
    return int(before[-1]) if len(before) else 0


class EncodedTraining:
    """The training part, encoded once for training, counting and adaptive scores.

    tokens: (M,) unsigned integers. data: (N,) uint8, the same text.
    documents: (K,) int64, the first byte of each document; None for one text.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        data: npt.NDArray[np.uint8],
        documents: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.data = data
        self._first_bytes = documents
        self.tokens = encode(tokenizer, data)
        self._tokenizer = tokenizer

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def bytes_per_token(self) -> float:
        """Raw bytes of a token, on average."""
        return len(self.data) / len(self.tokens)

    @property
    def documents(self) -> npt.NDArray[np.int64] | None:
        """(K,) the index of the first token that begins in each document; None for one text."""
        if self._first_bytes is None:
            return None
        inside = self._first_bytes[self._first_bytes < len(self.data)]
        last = len(self.tokens) - 1
        return np.unique(_first_tokens_at(self._ends(), inside).clip(max=last))

    def is_bytes(self) -> bool:
        """Whether every token is one byte, so that its position in the text is its index."""
        return all(bool((lengths == 1).all()) for lengths in self._lengths())

    def stretches(self, count: int, num_bytes: int) -> Iterator[tuple[int, EncodedText]]:
        """Evenly spaced stretches, each with the index of its first token.

        num_bytes: of each stretch; it begins and ends at a whole token.
        """
        ends = self._ends()
        for stretch in range(count):
            start = (len(self.data) - num_bytes) * stretch // max(1, count - 1)
            begin, end = _first_tokens_at(ends, np.array([start, start + num_bytes])).tolist()
            tokens = self.tokens[begin:end]
            lengths = self._tokenizer.byte_lengths(tokens)
            first = begin if ends is None else int(ends[begin - 1]) if begin else 0
            text = EncodedText(
                data=self.data[first : first + int(lengths.sum())],
                tokens=tokens,
                lengths=lengths,
                first_input=int(self.tokens[begin - 1]) if begin else 0,
            )
            yield begin, text

    def _ends(self) -> npt.NDArray[np.int64] | None:
        """The end of each token in bytes; None, because not needed, if every token is a byte."""
        if self.is_bytes():
            return None
        return np.cumsum(self._tokenizer.byte_lengths(self.tokens))

    def _lengths(self) -> Iterator[npt.NDArray[np.int64]]:
        # In blocks: eight bytes for each token of a large corpus would not fit into memory.
        for start in range(0, len(self.tokens), _BLOCK_TOKENS):
            yield self._tokenizer.byte_lengths(self.tokens[start : start + _BLOCK_TOKENS])


def _first_tokens_at(
    ends: npt.NDArray[np.int64] | None, places: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The index of the first token that begins at each byte of `places` or after it."""
    if ends is None:
        return places
    return np.where(places == 0, 0, np.minimum(np.searchsorted(ends, places) + 1, len(ends)))


def encode(tokenizer: Tokenizer, data: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """All tokens of some bytes, in memory or, if there are many, in an unnamed temporary file.

    A tokenizer that returns a view of its input (every byte is a token) needs no memory at all.
    """
    if len(data) <= _BLOCK_BYTES:
        return tokenizer.encode(data)
    probe = tokenizer.encode(data[:1])
    if np.shares_memory(probe, data):
        return tokenizer.encode(data)
    with tempfile.TemporaryFile() as file:
        for start in range(0, len(data), _BLOCK_BYTES):
            file.write(tokenizer.encode(data[start : start + _BLOCK_BYTES]).tobytes())
        file.flush()
        return np.memmap(file, dtype=probe.dtype, mode="r")
