"""Sums up to each place; on a GPU by additions in one order, for the same bits in each run."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

__all__ = ["running_sum", "running_sum_by_doubling"]


def running_sum(x: Tensor, dim: int) -> Tensor:
    """`x.cumsum(dim)`; dim: -1 or -2. torch's kernel for CUDA adds in any order."""
    return running_sum_by_doubling(x, dim) if x.device.type == "cuda" else x.cumsum(dim)


def running_sum_by_doubling(x: Tensor, dim: int) -> Tensor:
    """The same in few additions: as many as the length can be halved (Hillis and Steele 1986).

    After each of them the sum at a place reaches twice as far back.
    """
    reach, length = 1, x.shape[dim]
    while reach < length:
        earlier = x.narrow(dim, 0, length - reach)
        x = x + F.pad(earlier, (reach, 0) if dim == -1 else (0, 0, reach, 0))
        reach *= 2
    return x
