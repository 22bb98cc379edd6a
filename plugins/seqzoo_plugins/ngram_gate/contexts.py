"""Contexts as numbers: the k latest tokens, hashed to one key for each order k."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["ABSENT", "context_keys"]

ABSENT = -1
"""Stands for a token before the start of a text, and for the key of an incomplete context."""

# Odd numbers whose powers look random (2**64 / golden ratio, and another one), as int64.
_MULTIPLIER = -7046029254386353131
_MIXER = -4658895280553007687


def context_keys(
    tokens: Int[Tensor, "B N"], length: int, orders: Sequence[int], *, bits: int
) -> Int[Tensor, "B T K"]:
    """Keys in [0, 2**bits) of the contexts that end at each of the last `length` = T tokens.

    tokens: the last T and those before them; ABSENT or missing before the start of the text.
    orders: K context lengths, ascending. Keys of incomplete contexts are ABSENT.
    """
    B, N = tokens.shape
    missing = length + orders[-1] - 1 - N
    if missing > 0:
        tokens = torch.cat([tokens.new_full((B, missing), ABSENT), tokens], dim=1)
        N += missing
    sums = tokens.new_zeros(B, length)
    is_whole = torch.ones_like(sums, dtype=torch.bool)
    keys = []
    power = 1
    for distance in range(orders[-1]):
        token = tokens[:, N - length - distance : N - distance]
        power = _wrapped(power * _MULTIPLIER)
        sums = sums + (token + 1) * power  # int64 overflow is harmless in a hash
        is_whole = is_whole & (token != ABSENT)
        if distance + 1 in orders:
            key = _mixed(sums + (distance + 1), bits)
            keys.append(torch.where(is_whole, key, ABSENT))
    return torch.stack(keys, dim=-1)


def _mixed(sums: Tensor, bits: int) -> Tensor:
    """Mix every bit of a sum into its `bits` highest, which are the best bits of a product."""
    folded = (sums ^ (sums >> 32)) * _MIXER
    folded = (folded ^ (folded >> 29)) * _MULTIPLIER
    return (folded >> (64 - bits)) & ((1 << bits) - 1)


def _wrapped(number: int) -> int:
    """The number after int64 overflow."""
    return (number + 2**63) % 2**64 - 2**63
