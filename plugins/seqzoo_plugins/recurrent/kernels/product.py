"""The matrix product of every time step, with the matrix arranged once for all steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from seqzoo_plugins.recurrent.kernels.torch_internals import packed_product

__all__ = ["Product", "repeated_product"]

Product: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(x (B, K), onto (B, N)) -> onto + x @ matrix.T, a new tensor."""

_SMALL = 1 << 16
"""Elements of a matrix. For 32 rows oneDNN and the general product take: (128, 128) 25 and 14 us,
(512, 128) 56 and 50 us, (1024, 256) 172 and 199 us."""


def repeated_product(matrix: Tensor, batch_size: int) -> Product:
    """matrix: (N, K), which must not change while the product is in use.

    A general matrix product rearranges its large operand in every call, which for 32 rows takes
    nearly as long as the product itself. oneDNN, which torch's linear layers use on x86, keeps the
    rearranged matrix. The general product is used where oneDNN is not available (float64, other
    processors), and for small matrices, where starting oneDNN takes longer than multiplying.
    """
    packed = None
    if matrix.dtype == torch.float32 and matrix.numel() > _SMALL:
        packed = packed_product(matrix, batch_size)
    if packed is not None:
        return packed
    transposed = matrix.t()
    return lambda x, onto: torch.addmm(onto, x, transposed)
