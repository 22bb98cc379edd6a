"""The equations and the initialisation of the LSTM, for `lstm` and for models that use one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seqzoo_plugins.recurrent.kernels.lstm import LSTMRecurrence
from seqzoo_plugins.recurrent.options import StackOptions
from seqzoo_plugins.recurrent.stack import Memories, RecurrentStack, fused_layers

__all__ = ["LSTM"]


class LSTM(RecurrentStack):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with forget gates (Gers et al.
    2000), without peepholes:

        i, f, o = sigmoid(W x + U h + b)      one W, U and b for each gate
        g       = tanh(W x + U h + b)
        c'      = f * c + i * g
        h'      = o * tanh(c')

    The forget gates start at bias `forget_bias` (Jozefowicz et al. 2015), all of it
    in the first of torch's two biases. State: hidden and cell, (B, L, H) each.
    """

    num_memories = 2

    def __init__(self, options: StackOptions, *, vocab_size: int, forget_bias: float = 1.0) -> None:
        layers = fused_layers(nn.LSTM, options)
        super().__init__(layers, LSTMRecurrence(), vocab_size=vocab_size, options=options)
        H = options.hidden_size
        for _, _, input_bias, _ in layers.all_weights:
            # torch orders the gates i, f, g, o.
            nn.init.constant_(input_bias[H : 2 * H], forget_bias)

    def cell(self, x: Tensor, memories: Memories, weights: Sequence[Tensor]) -> Memories:
        return torch.lstm_cell(x, memories, *weights)
