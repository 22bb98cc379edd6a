"""The equations of minLSTM."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo_plugins.residual.minimal import MinimalLayer
from seqzoo_plugins.residual.options import MinimalOptions

__all__ = ["MinLSTMLayer"]


class MinLSTMLayer(MinimalLayer):
    """An LSTM whose gates do not read the state, Feng et al. 2024, arXiv:2410.01201, section 3.2:

    f[t] = sigmoid(Linear(x[t]))
    i[t] = sigmoid(Linear(x[t]))
    h[t] = f[t] / (f[t] + i[t]) * h[t-1] + i[t] / (f[t] + i[t]) * c[t]
    """

    def __init__(self, options: MinimalOptions) -> None:
        super().__init__(options)
        self.forget = nn.Linear(options.hidden_size, self.num_units)
        self.input = nn.Linear(options.hidden_size, self.num_units)

    def gate(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T I"]:
        # i / (f + i) = sigmoid(log i - log f), also where both are too small for a float.
        return torch.sigmoid(F.logsigmoid(self.input(x)) - F.logsigmoid(self.forget(x)))
