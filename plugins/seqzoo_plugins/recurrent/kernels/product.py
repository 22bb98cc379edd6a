"""The product that a recurrent layer repeats for every time step, its matrix laid out once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from seqzoo_plugins.recurrent.kernels.torch_internals import packed_product

__all__ = ["Product", "repeated_product"]

Product: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(x (B, K), onto (B, N)) -> onto + x @ matrix.T, a tensor of its own."""

_SMALL = 1 << 16
"""Numbers of a matrix; for 32 rows, (128, 128) takes oneDNN 25 us and the general product 14,
(512, 128) 56 and 50, (1024, 256) 172 and 199."""


def repeated_product(matrix: Tensor, batch_size: int) -> Product:
    """matrix: (N, K), which must not change while the product is in use.

    A general matrix product lays its large operand out anew each time, which for 32 rows costs
    nearly as much as the product. oneDNN, which torch's own linear layers use on x86, can keep
    that layout; where it cannot be had (float64, other processors) the general product serves.
    So it does for small matrices, with which oneDNN takes longer to start than to multiply.
    """
    packed = None
    if matrix.dtype == torch.float32 and matrix.numel() > _SMALL:
        packed = packed_product(matrix, batch_size)
    if packed is not None:
        return packed
    transposed = matrix.t()
    return lambda x, onto: torch.addmm(onto, x, transposed)
