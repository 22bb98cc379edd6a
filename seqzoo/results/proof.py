"""When the size of a compressed file proves a score: it needs no more than the score says."""

from __future__ import annotations

import math

__all__ = ["allowed_bytes", "proves"]

_SHARE = 0.001
_BYTES = 32
"""Of the file around the coded bits, and of probabilities that are rounded to 24 bits."""


def allowed_bytes(bits: float) -> int:
    """The largest compressed file that proves a score of so many bits."""
    return math.floor(bits / 8 * (1 + _SHARE) + _BYTES)


def proves(compressed_bytes: int, bits: float) -> bool:
    """Whether a compressed file of this size proves a score of so many bits.

    A file that is much smaller does not either: then the score is not what the model's
    probabilities cost.
    """
    return bits / 8 * (1 - _SHARE) - _BYTES <= compressed_bytes <= allowed_bytes(bits)
