"""Stretches of different lengths, one behind the other: no loop over them."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["places_of"]


def places_of(starts: Int[Tensor, " N"], sizes: Int[Tensor, " N"]) -> Int[Tensor, " M"]:
    """The places of N stretches, one after the other; M is the sum of their sizes."""
    begins = sizes.cumsum(0) - sizes
    places = (starts - begins).repeat_interleave(sizes)
    places += torch.arange(len(places), device=places.device)
    return places
