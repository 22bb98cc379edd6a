"""Embedded tokens through layers of one kind, by the kernels: whole sequences and single tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from seqzoo_plugins._kernels.product import repeated_product
from seqzoo_plugins._kernels.recurrence import Inputs, Memories, Recurrence, StepProduct

__all__ = ["StepLayer", "run_layers", "run_step", "step_layers"]

Weights: TypeAlias = Sequence[Tensor]
"""Of a layer, as `nn.RNNBase.all_weights` has them."""


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

    tokens: (T, B). memories: (B, L, H) each. symbols: (V, D), every symbol embedded; what the first
    layer makes of them is then a table of V rows, shorter than the sequence. embedded: takes its
    place, tokens to (T, B, D), where one symbol is not embedded alike everywhere or V is large.
    between: from layer to layer, (T, B, H) to (T, B, H).
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


class StepLayer(NamedTuple):
    """A layer's weights as a single token wants them.

    table: (V, G H), what the first layer makes of each symbol. inputs: from the layer below.
    """

    table: Tensor | None
    inputs: StepProduct | None
    recurrent: StepProduct


def step_layers(
    recurrence: Recurrence, all_weights: Sequence[Weights], symbols: Tensor, batch_size: int
) -> list[StepLayer]:
    """Made once for many steps."""
    layers = []
    for layer, weights in enumerate(all_weights):
        matrix, bias = recurrence.input_map(tuple(weights))
        recurrent = _product(*recurrence.recurrent_map(tuple(weights)), batch_size)
        if layer == 0:
            layers.append(StepLayer(F.linear(symbols, matrix, bias), None, recurrent))
        else:
            layers.append(StepLayer(None, _product(matrix, bias, batch_size), recurrent))
    return layers


def run_step(
    recurrence: Recurrence, layers: Sequence[StepLayer], tokens: Tensor, memories: Memories
) -> tuple[Tensor, Memories]:
    """Outputs (B, H) of the highest layer after (B,) tokens, and memories (B, L, H)."""
    x, last = tokens, []
    for number, layer in enumerate(layers):
        if layer.inputs is None:
            assert layer.table is not None
            x = layer.table.index_select(0, tokens)
        else:
            x = layer.inputs(x, None)
        before = tuple([leaf.select(1, number) for leaf in memories])
        after = recurrence.step(x, before, layer.recurrent)
        last.append(after)
        x = after[0]
    if len(last) == 1:
        return x, tuple(leaf.unsqueeze(1) for leaf in last[0])
    return x, tuple(torch.stack(leaf, dim=1) for leaf in zip(*last, strict=True))


def _product(matrix: Tensor, bias: Tensor | None, batch_size: int) -> StepProduct:
    if bias is None:
        bias = matrix.new_zeros(len(matrix))
    if batch_size == 1:
        # The general matrix product is slower on a vector, and no layout helps.

        def of_vector(x: Tensor, onto: Tensor | None) -> Tensor:
            return torch.addmv(bias if onto is None else onto[0], matrix, x[0]).unsqueeze(0)

        return of_vector
    multiply = repeated_product(matrix, batch_size)
    biases = bias.expand(batch_size, -1).contiguous()

    def of_batch(x: Tensor, onto: Tensor | None) -> Tensor:
        return multiply(x, biases if onto is None else onto)

    return of_batch
