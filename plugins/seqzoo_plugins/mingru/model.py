"""The equations of minGRU."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqzoo_plugins.residual.minimal import MinimalLayer
from seqzoo_plugins.residual.options import MinimalOptions

__all__ = ["MinGRULayer"]


class MinGRULayer(MinimalLayer):
    """A GRU whose gate does not read the state, Feng et al. 2024, arXiv:2410.01201, section 3.1:

    z[t] = sigmoid(Linear(x[t]))
    h[t] = (1 - z[t]) * h[t-1] + z[t] * c[t]
    """

    def __init__(self, options: MinimalOptions) -> None:
        super().__init__(options)
        self.update = nn.Linear(options.hidden_size, self.num_units)

    def gate(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T I"]:
        return torch.sigmoid(self.update(x))
