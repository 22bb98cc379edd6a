"""Bytes as tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo import Tokenizer


class ByteTokenizer(Tokenizer):
    """The identity: a token is the value of a byte."""

    vocab_size = 256

    def encode(self, data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The same array, so that a memory-mapped file stays memory-mapped."""
        return data

    def decode(self, tokens: npt.NDArray[Any]) -> bytes:
        return tokens.astype(np.uint8).tobytes()

    def byte_lengths(self, tokens: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        # One number repeated without memory: 8 bytes and not 800 MB for 100 MB of text.
        return np.broadcast_to(np.int64(1), len(tokens))

    def restore(self, state: Mapping[str, Any]) -> None:
        if state:
            raise ValueError(f"it has no state, but the stored state has {sorted(state)}")
