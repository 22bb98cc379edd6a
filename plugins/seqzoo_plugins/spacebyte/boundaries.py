"""Which tokens end a word."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from seqzoo import Tokenizer

__all__ = ["is_spacelike", "spacelike_tokens"]


def is_spacelike(byte: int) -> bool:
    """Neither an ASCII letter, nor an ASCII digit, nor a later byte of a UTF-8 character: spaces,
    punctuation, controls, and first bytes of other characters (Slagle 2024, arXiv:2404.14408,
    section 3).
    """
    is_word = chr(byte).isascii() and chr(byte).isalnum()
    return not is_word and not 0x80 <= byte < 0xC0


def spacelike_tokens(vocab_size: int, tokenizer: Tokenizer | None) -> Tensor:
    """(V,) bool: whether the first byte of each token is spacelike.

    tokenizer: None if ids are bytes; ids above 255 are then not spacelike.
    """
    flags = []
    for token in range(vocab_size):
        if tokenizer is None:
            first = bytes([token]) if token < 256 else b""
        else:
            first = tokenizer.decode(np.array([token]))[:1]
        flags.append(bool(first) and is_spacelike(first[0]))
    return torch.tensor(flags)
