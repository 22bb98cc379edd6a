"""A split's bytes as tokens, in memory or mapped from disk."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo.plugin.contracts import Tokenizer

__all__ = ["encode"]

_BLOCK_BYTES = 1 << 24


def encode(tokenizer: Tokenizer, data: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """All tokens of some bytes, in memory or, where they are many, in an unnamed temporary file.

    A tokenizer that gives views of its input (every byte a token) costs nothing at any size.
    """
    probe = tokenizer.encode(data[:1])
    if len(data) <= _BLOCK_BYTES or np.shares_memory(probe, data):
        return tokenizer.encode(data)
    with tempfile.TemporaryFile() as file:
        for start in range(0, len(data), _BLOCK_BYTES):
            file.write(tokenizer.encode(data[start : start + _BLOCK_BYTES]).tobytes())
        file.flush()
        return np.memmap(file, dtype=probe.dtype, mode="r")
