"""Tokens as blocks of compressed words, and back: a range coder with a model's probabilities.

The coder is constriction's (Bamler 2022, arXiv:2201.01741), a range coder (Martin 1979) that
rounds probabilities to 24 bits, at least one unit for each token. A block is a file of its own for
the coder, so that neither side has to keep the whole text; the model continues from block to block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import constriction
import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from seqzoo.coding.predictors import Predictor

__all__ = ["BLOCK_BYTES", "Block", "UndecodableError", "decode_block", "encode_blocks"]

BLOCK_BYTES = 1 << 16
"""Compressed bytes of a block; the start and the end of a block cost about 12 bytes."""

_CHECKED_EVERY = 256
_WORD = np.dtype(">u4")


class UndecodableError(Exception):
    """The content of a block was not made with these probabilities."""


class Block(NamedTuple):
    """num_tokens: of the text. content: what the coder made of them. is_last: of the text."""

    num_tokens: int
    content: bytes
    is_last: bool


def encode_blocks(
    tokens: Iterable[int], predictor: Predictor, *, first_input: int
) -> Iterator[Block]:
    """The blocks of a text, the last one marked; it is empty for a text without tokens.

    first_input: the token from which the first one is predicted.
    """
    encoder, count = constriction.stream.queue.RangeEncoder(), 0
    before = first_input
    for token in tokens:
        encoder.encode(int(token), _model_of(predictor.next(before)))
        before = int(token)
        count += 1
        if not count % _CHECKED_EVERY and encoder.num_words() * _WORD.itemsize >= BLOCK_BYTES:
            yield Block(count, _as_bytes(encoder.get_compressed()), is_last=False)
            encoder, count = constriction.stream.queue.RangeEncoder(), 0
    yield Block(count, _as_bytes(encoder.get_compressed()), is_last=True)


def decode_block(
    content: bytes, predictor: Predictor, *, first_input: int, wants_more: Callable[[int], bool]
) -> Iterator[int]:
    """The tokens of a block. first_input: the token before the block, as in `encode_blocks`.

    wants_more: whether another token follows, given the number of tokens so far. With other content
    or other probabilities than those of `encode_blocks`, it gives other tokens, or raises
    UndecodableError.
    """
    decoder = constriction.stream.queue.RangeDecoder(_as_words(content))
    before, count, left = first_input, 0, 8.0 * (len(content) + 2 * _WORD.itemsize)
    while wants_more(count):
        probabilities = predictor.next(before)
        # Every other token has one unit of 2**-24 at least, so that no token is free: content of
        # this length does not end later, whatever a forged header says.
        left -= (len(probabilities) - 1) * 2**-24
        if left < 0:
            raise UndecodableError
        model = _model_of(probabilities)
        try:
            before = int(decoder.decode(model))
        except AssertionError:  # which constriction raises where it notices
            raise UndecodableError from None
        count += 1
        yield before


def _model_of(probabilities: Float[np.ndarray, " V"]) -> constriction.stream.model.Categorical:
    # `lazy` costs less for a model of one token, and implies the same rounding on both sides.
    return constriction.stream.model.Categorical(probabilities, lazy=True)


def _as_bytes(words: npt.NDArray[np.uint32]) -> bytes:
    """The highest byte of a word first; zeros at the end of the last word are left out.

    Not those of earlier words, so that the length still says how much was coded.
    """
    content = words.astype(_WORD).tobytes()
    return content[: -_WORD.itemsize] + content[-_WORD.itemsize :].rstrip(b"\0")


def _as_words(content: bytes) -> npt.NDArray[np.uint32]:
    padded = content + bytes(-len(content) % _WORD.itemsize)
    return np.frombuffer(padded, dtype=_WORD).astype(np.uint32)
