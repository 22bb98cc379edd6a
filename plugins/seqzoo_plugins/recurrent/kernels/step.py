"""One token in each lane, computed in NumPy.

A single token needs little arithmetic; most of the time is the start of each operation, and NumPy
needs a third of torch's time for it. Its tanh takes a quarter of the time of torch's, and its
product of a matrix and a vector two thirds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import is_
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seqzoo_plugins.recurrent.kernels.layers import Weights
from seqzoo_plugins.recurrent.kernels.product import repeated_product
from seqzoo_plugins.recurrent.kernels.recurrence import Array, Memories, Recurrence, StepProduct

__all__ = ["Step"]

_BLOCK_NUMBERS = 1 << 18
"""Elements of a matrix for one product with a vector. OpenBLAS splits larger ones between threads,
whatever torch's setting is, and then waits for a second thread at every step."""


class _Layer(NamedTuple):
    """inputs: product of the layer below; None in the first layer, which looks up its symbols."""

    inputs: StepProduct | None
    recurrent: StepProduct


_ByLayer: TypeAlias = list[tuple[Array, ...]]
"""For each layer its memories, (B, H) each."""


class Step:
    """Layers and head, arranged once for many steps with the same number of lanes.

    symbols: (V, D), the embedding of every symbol. head: its matrix and bias.
    """

    def __init__(
        self,
        recurrence: Recurrence,
        all_weights: Sequence[Weights],
        *,
        symbols: Tensor,
        head: tuple[Tensor, Tensor],
        batch_size: int,
    ) -> None:
        self._recurrence = recurrence
        self._layers = []
        for number, weights in enumerate(map(tuple, all_weights)):
            matrix, bias, recurrent_matrix, own_bias = recurrence.step_maps(weights)
            recurrent = _product(recurrent_matrix, own_bias, batch_size)
            if number == 0:
                self._table = F.linear(symbols, matrix, bias)  # (V, G H)
                self._rows = self._table.numpy()
                self._layers.append(_Layer(None, recurrent))
            else:
                self._layers.append(_Layer(_product(matrix, bias, batch_size), recurrent))
        self._head = _product(*head, batch_size)
        # One attribute, set and read at once: threads may share a model.
        self._latest: tuple[Memories, _ByLayer] = ((), [])

    # The logits of a model that diverged show it; torch does not warn about them either.
    @np.errstate(all="ignore")
    def logits(self, tokens: Tensor, memories: Memories) -> tuple[Tensor, Memories]:
        """(B, 1, V) after (B, 1) tokens, and memories (B, L, H)."""
        highest, memories = self._run(tokens, memories)
        return torch.from_numpy(self._head(highest, None)[:, None]), memories

    @np.errstate(all="ignore")
    def hidden(self, tokens: Tensor, memories: Memories) -> tuple[Tensor, Memories]:
        """Outputs (B, 1, H) of the highest layer after (B, 1) tokens, and memories (B, L, H)."""
        highest, memories = self._run(tokens, memories)
        return torch.from_numpy(highest[:, None].copy()), memories

    def returned(self, memories: Memories | None) -> bool:
        """Whether these are the memories of the latest call, so that the same text continues."""
        return memories is not None and _are_same(memories, self._latest[0])

    def _run(self, tokens: Tensor, memories: Memories) -> tuple[Array, Memories]:
        """Hidden units (B, H) of the highest layer, and memories (B, L, H)."""
        latest, before = self._latest
        if not _are_same(memories, latest):
            before = _by_layer(leaf.detach().numpy() for leaf in memories)
        leaves = [
            np.empty(leaf.shape, old.dtype) for leaf, old in zip(memories, before[0], strict=True)
        ]
        after = _by_layer(leaves)
        x = self._looked_up(tokens)
        for layer, old, new in zip(self._layers, before, after, strict=True):
            if layer.inputs is not None:
                x = layer.inputs(x, None)
            self._recurrence.step(x, old, new, layer.recurrent)
            x = new[0]
        memories = tuple(map(torch.from_numpy, leaves))
        self._latest = memories, after
        return x, memories

    def _looked_up(self, tokens: Tensor) -> Array:
        """(B, G H), read-only."""
        if len(tokens) > 1:
            return self._table.index_select(0, tokens[:, 0]).numpy()
        symbol: Any = tokens.item()
        if symbol < 0:  # NumPy would count it from the end
            raise IndexError(f"token {symbol} is not in 0 ... {len(self._table) - 1}")
        return self._rows[symbol, None]


def _are_same(memories: Memories, others: Memories) -> bool:
    """Whether these are the same tensors, not only equal ones."""
    return memories is others or (len(memories) == len(others) and all(map(is_, memories, others)))


def _by_layer(leaves: Iterable[Array]) -> _ByLayer:
    """leaves: (B, L, H) each."""
    return list(zip(*[leaf.swapaxes(0, 1) for leaf in leaves], strict=True))


def _product(matrix: Tensor, bias: Tensor | None, batch_size: int) -> StepProduct:
    if bias is None:
        bias = matrix.new_zeros(len(matrix))
    if batch_size > 1:
        multiply = repeated_product(matrix, batch_size)
        biases = bias.expand(batch_size, -1).contiguous()

        def of_batch(x: Array, onto: Array | None) -> Array:
            added = biases if onto is None else torch.from_numpy(onto)
            return multiply(torch.from_numpy(x), added).numpy()

        return of_batch
    rows = max(1, _BLOCK_NUMBERS // matrix.shape[1])
    blocks = [block.t().contiguous().numpy() for block in matrix.detach().split(rows)]
    starting = bias.detach().numpy()

    def of_vector(x: Array, onto: Array | None) -> Array:
        if len(blocks) == 1:
            sums: Array = x.dot(blocks[0])
        else:
            sums = np.concatenate([x.dot(block) for block in blocks], axis=1)
        sums += starting if onto is None else onto
        return sums

    return of_vector
