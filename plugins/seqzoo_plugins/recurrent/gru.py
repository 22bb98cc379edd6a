"""The equations of the GRU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seqzoo_plugins.recurrent.kernels.gru import GRURecurrence
from seqzoo_plugins.recurrent.options import StackOptions
from seqzoo_plugins.recurrent.stack import Memories, RecurrentStack, fused_layers

__all__ = ["GRU"]


class GRU(RecurrentStack):
    """Gated recurrent unit, Cho et al. 2014, arXiv:1406.1078, eq. 5-8:

        r, z = sigmoid(W x + U h + b)         one W, U and b for each gate
        n    = tanh(W x + b + r * (U h + b'))
        h'   = (1 - z) * n + z * h

    The reset gate is applied after the matrix product, as cuDNN does; eq. 8 has it before.
    State: hidden, (B, L, H).
    """

    def __init__(self, options: StackOptions, *, vocab_size: int) -> None:
        layers = fused_layers(nn.GRU, options)
        super().__init__(layers, GRURecurrence(), vocab_size=vocab_size, options=options)

    def cell(self, x: Tensor, memories: Memories, weights: Sequence[Tensor]) -> Memories:
        return (torch.gru_cell(x, memories[0], *weights),)
