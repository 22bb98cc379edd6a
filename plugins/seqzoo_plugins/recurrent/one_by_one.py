"""torch's fused layers one by one, with dropout between them by torch's own random generator.

In one call for all layers cuDNN makes the dropout on a GPU, from a random state of its own that
torch can neither store nor set. A resumed training would drop other units.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["drops_by_itself", "run_one_by_one"]

# cuDNN copies the weights of a single layer into one piece of memory; torch warns of that.
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous")

_FUNCTIONS: dict[str, Any] = {
    "LSTM": torch.lstm,
    "GRU": torch.gru,
    "RNN_TANH": torch.rnn_tanh,
    "RNN_RELU": torch.rnn_relu,
}


def drops_by_itself(layers: nn.RNNBase) -> bool:
    """Whether a call of these layers would let cuDNN drop units."""
    is_random = layers.training and layers.dropout > 0 and layers.num_layers > 1
    return is_random and layers.weight_ih_l0.device.type == "cuda"


def run_one_by_one(
    layers: nn.RNNBase, x: Tensor, state: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """What `layers(x, state)` gives. x: (B, T, D); state: (L, B, H) each; outputs (B, T, H)."""
    run = _FUNCTIONS[layers.mode]
    ends = []
    for layer, weights in enumerate(layers.all_weights):
        if layer > 0:
            x = F.dropout(x, layers.dropout, layers.training)
        before = tuple(leaf[layer : layer + 1] for leaf in state)
        x, *after = run(
            x,
            before if len(before) > 1 else before[0],
            weights,
            layers.bias,
            1,  # layers
            0.0,  # dropout
            layers.training,
            False,  # bidirectional
            True,  # batch first
        )
        ends.append(after)
    return x, tuple(torch.cat(leaf) for leaf in zip(*ends, strict=True))
