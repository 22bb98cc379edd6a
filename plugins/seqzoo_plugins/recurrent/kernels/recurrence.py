"""The common parts of the kernels: their interface, their inputs and the gradients of these.

T time, B batch, G gates, H hidden units, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqzoo_plugins.recurrent.kernels.torch_internals import add_embedding_gradient

__all__ = [
    "Array",
    "Gathered",
    "Inputs",
    "Memories",
    "Recurrence",
    "StepProduct",
    "differentiable",
    "doubled",
    "to_sigmoid",
]

Memories: TypeAlias = tuple[Tensor, ...]
"""The state of a layer, hidden units first, (B, H) each."""

Array: TypeAlias = npt.NDArray[np.floating[Any]]

StepProduct: TypeAlias = Callable[[Array, Array | None], Array]
"""(x (B, K), onto (B, N) or None for the bias) -> onto + x @ matrix.T, a new array."""

_BLOCK = 16
"""Steps whose derivatives are kept at once where not all of them are needed. A buffer for all T
would be new memory in every update, and its allocation took a tenth of the update."""

_SPAN_UNITS = 1 << 16
"""Hidden units, over steps and rows, whose local derivatives are computed in one call."""


class Inputs(NamedTuple):
    """The part of the gates' sums that comes from the inputs, (B, G H) for each step.

    rows: (T, B, G H); or (V, G H), one row for each symbol, where the inputs are embedded tokens.
    tokens: (T, B) in that case, else None.
    """

    rows: Tensor
    tokens: Tensor | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """T and B."""
        sizes = self.rows.shape if self.tokens is None else self.tokens.shape
        return sizes[0], sizes[1]

    def steps(self) -> Iterator[Tensor]:
        """(B, G H) for each step, read-only."""
        if self.tokens is None:
            yield from self.rows.unbind(0)
        else:
            for tokens in self.tokens.unbind(0):
                yield self.rows.index_select(0, tokens)


class Recurrence(ABC):
    """One layer's loop over time.

    weights: input matrix (G H, D), recurrent matrix (G H, H) and their biases, as torch has them.
    """

    step_scale = 0.5
    """Factor of the maps in `step`. The maps are made for sigmoids; `step` uses NumPy's tanh, which
    is faster, of half the sum."""

    @abstractmethod
    def input_map(self, weights: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Matrix (G H, D) and bias (G H,) that map a layer's inputs to `Inputs.rows`."""

    @abstractmethod
    def run(
        self, inputs: Inputs, memories: Memories, weights: tuple[Tensor, ...]
    ) -> tuple[Tensor, Memories]:
        """Outputs (T, B, H), and the memories after the last step."""

    @abstractmethod
    def recurrent_map(self, weights: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | None]:
        """Matrix (G H, H) of the product in each step, and its bias (G H,) where it has one."""

    @abstractmethod
    def step(
        self, x: Array, before: Sequence[Array], after: Sequence[Array], product: StepProduct
    ) -> None:
        """One step without a graph, written to `after`.

        x: (B, G H), read-only. product: of the hidden units. Both are made by `step_maps`.
        """

    def step_maps(
        self, weights: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """`input_map` and `recurrent_map`, scaled for `step`."""
        inputs, bias = self.input_map(weights)
        recurrent, own_bias = self.recurrent_map(weights)
        if own_bias is not None:
            own_bias = own_bias * self.step_scale
        return (
            inputs * self.step_scale,
            bias * self.step_scale,
            recurrent * self.step_scale,
            own_bias,
        )


class Gathered:
    """Adds up the derivatives by the gates' sums: by the inputs and by the recurrent weights.

    hiddens: (T + 1, B, H), the first before the first step. apart: the recurrent product has its
    own derivative and its own bias (GRU).
    """

    def __init__(self, inputs: Inputs, hiddens: Tensor, *, apart: bool = False) -> None:
        self._tokens = inputs.tokens
        self._hiddens = hiddens
        T, B, self._width = *inputs.shape, inputs.rows.shape[-1]
        self._length = T if self._tokens is None else min(T, _BLOCK)
        self.rows = inputs.rows.new_zeros(inputs.rows.shape if self._tokens is not None else ())
        self.recurrent = hiddens.new_zeros(self._width, hiddens.shape[-1])
        self.recurrent_bias = hiddens.new_zeros(self._width) if apart else None
        self._by_inputs = hiddens.new_empty(self._length, B, self._width)
        self._by_recurrent = torch.empty_like(self._by_inputs) if apart else self._by_inputs

    def spans(self) -> Iterator[tuple[int, int, Tensor, Tensor]]:
        """Steps start to stop, last ones first, as many as fit into a cache, and two buffers that
        the caller fills before the next span: (stop - start, B, G H), the derivatives by the inputs
        and by the recurrent product. They are one buffer unless they are apart.
        """
        T, B, H = len(self._hiddens) - 1, *self._hiddens.shape[1:]
        length = min(self._length, max(1, _SPAN_UNITS // (B * H)))
        for end in range(T, 0, -self._length):
            begin = max(0, end - self._length)
            for stop in range(end, begin, -length):
                start = max(begin, stop - length)
                span = slice(start - begin, stop - begin)
                yield start, stop, self._by_inputs[span], self._by_recurrent[span]
            self._gather(begin, end)

    def _gather(self, start: int, stop: int) -> None:
        by_recurrent = self._by_recurrent[: stop - start].view(-1, self._width)
        hiddens = self._hiddens[start:stop].view(-1, self._hiddens.shape[-1])
        self.recurrent.addmm_(by_recurrent.t(), hiddens)
        if self.recurrent_bias is not None:
            self.recurrent_bias += by_recurrent.sum(0)
        if self._tokens is None:
            self.rows = self._by_inputs
        else:
            add_embedding_gradient(
                self.rows, self._by_inputs[: stop - start], self._tokens[start:stop]
            )


def differentiable(tensors: Iterable[Tensor]) -> bool:
    """Whether a graph is recorded and one of these tensors is in it."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def doubled(weights: Tensor, gate: int, num_gates: int) -> Tensor:
    """The weights with the rows of one gate doubled, for a tanh that is computed as a sigmoid."""
    scale = weights.new_ones(num_gates, 1, *[1] * (weights.ndim - 1))
    scale[gate] = 2
    scaled: Tensor = (weights.unflatten(0, (num_gates, -1)) * scale).flatten(0, 1)
    return scaled


def to_sigmoid(squashed: Array, out: Array | None = None) -> Array:
    """sigmoid(2x), computed from tanh(x)."""
    gates = np.multiply(squashed, 0.5, out=out)
    gates += 0.5
    return gates
