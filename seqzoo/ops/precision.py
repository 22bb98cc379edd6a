"""The precision of the recurrences: sums over a text need at least float32."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["at_least_float32", "without_autocast"]


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision as float32; what is more precise as it is."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def without_autocast(x: Tensor) -> torch.autocast:
    """A context in which operations on the device of x keep the precision of their inputs."""
    return torch.autocast(x.device.type, enabled=False)
