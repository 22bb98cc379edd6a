"""Several recurrent layers over embedded tokens, computed by the kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from seqzoo_plugins.recurrent.kernels.recurrence import Inputs, Memories, Recurrence

__all__ = ["Weights", "run_layers"]

Weights: TypeAlias = Sequence[Tensor]
"""Of one layer, as in `nn.RNNBase.all_weights`."""


def run_layers(
    recurrence: Recurrence,
    all_weights: Sequence[Weights],
    tokens: Tensor,
    memories: Memories,
    *,
    symbols: Tensor,
    embedded: Callable[[Tensor], Tensor] | None,
    between: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Memories]:
    """Outputs of the highest layer (T, B, H), and memories (B, L, H).

    tokens: (T, B). memories: (B, L, H) each. symbols: (V, D), the embedding of every symbol. The
    first layer's inputs are then rows of a table of V rows, which is shorter than the sequence.
    embedded: tokens to (T, B, D), used instead of symbols where a symbol's embedding is not the
    same everywhere (dropout) or V is large. between: applied between layers, (T, B, H) to
    (T, B, H).
    """
    x, last = tokens, []
    for layer, weights in enumerate(all_weights):
        matrix, bias = recurrence.input_map(tuple(weights))
        if layer > 0:
            inputs = Inputs(F.linear(between(x), matrix, bias))
        elif embedded is not None:
            inputs = Inputs(F.linear(embedded(tokens), matrix, bias))
        else:
            inputs = Inputs(F.linear(symbols, matrix, bias), tokens.contiguous())
        before = tuple(leaf[:, layer] for leaf in memories)
        x, after = recurrence.run(inputs, before, tuple(weights))
        last.append(after)
    return x, tuple(torch.stack(leaf, dim=1) for leaf in zip(*last, strict=True))
