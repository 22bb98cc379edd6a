"""Ranges of different lengths, concatenated without a loop over them."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["places_of"]


def places_of(starts: Int[Tensor, " N"], sizes: Int[Tensor, " N"]) -> Int[Tensor, " M"]:
    """The indices of N ranges, concatenated; M is the sum of their sizes."""
    begins = sizes.cumsum(0) - sizes
    places = (starts - begins).repeat_interleave(sizes)
    places += torch.arange(len(places), device=places.device)
    return places
