"""Hashes of sequences of numbers."""

from __future__ import annotations

from seqzoo_plugins.counts.compiled import compiled

__all__ = ["extended", "mixed"]

# Odd numbers whose powers look random, as int64: 2**64 / golden ratio, and another one.
_MULTIPLIER = -7046029254386353131
_MIXER = -4658895280553007687


@compiled
def mixed(number: int) -> int:
    """Every bit of an int64 mixed into all others."""
    number = (number ^ (number >> 32)) * _MIXER  # overflow is harmless in a hash
    number = (number ^ (number >> 29)) * _MULTIPLIER
    return number ^ (number >> 32)


@compiled
def extended(hashed: int, number: int) -> int:
    """The hash of a sequence that is one number longer."""
    return mixed(hashed * _MULTIPLIER + number + 1)
