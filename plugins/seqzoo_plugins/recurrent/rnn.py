"""The equation and the initialisation of the simple recurrent network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seqzoo_plugins.recurrent.kernels.rnn import RNNRecurrence
from seqzoo_plugins.recurrent.options import RNNOptions
from seqzoo_plugins.recurrent.stack import Memories, RecurrentStack, fused_layers

__all__ = ["RNN"]

# Le et al. 2015 start relu units at the identity. In an endless stream the sum of a unit then grows
# without bound. Half the identity keeps the value of a unit below twice its input.
_RELU_IDENTITY = 0.5


class RNN(RecurrentStack):
    """Simple recurrent network (Elman 1990):

        h' = f(W x + U h + b)                 f = tanh or relu

    relu units start at U = I / 2, like the scaled identity of Le et al. 2015, arXiv:1504.00941.
    State: hidden, (B, L, H).
    """

    def __init__(self, options: RNNOptions, *, vocab_size: int) -> None:
        layers = fused_layers(nn.RNN, options, nonlinearity=options.nonlinearity)
        recurrence = RNNRecurrence(options.nonlinearity)
        super().__init__(layers, recurrence, vocab_size=vocab_size, options=options)
        self.nonlinearity = options.nonlinearity
        if options.nonlinearity == "relu":
            for _, recurrent, _, _ in layers.all_weights:
                with torch.no_grad():
                    nn.init.eye_(recurrent).mul_(_RELU_IDENTITY)

    def cell(self, x: Tensor, memories: Memories, weights: Sequence[Tensor]) -> Memories:
        step = torch.rnn_tanh_cell if self.nonlinearity == "tanh" else torch.rnn_relu_cell
        return (step(x, memories[0], *weights),)
