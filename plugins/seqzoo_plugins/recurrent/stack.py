"""The common parts of recurrent architectures: embedding, layers, dropout, head and state."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo import SequenceModel
from seqzoo_plugins.recurrent.autocast import autocast_that_runs
from seqzoo_plugins.recurrent.kernels.derived import Derived
from seqzoo_plugins.recurrent.kernels.layers import run_layers
from seqzoo_plugins.recurrent.kernels.recurrence import Memories, Recurrence
from seqzoo_plugins.recurrent.kernels.sizes import kernel_is_faster
from seqzoo_plugins.recurrent.kernels.step import Step
from seqzoo_plugins.recurrent.kernels.torch_internals import (
    direct_parameters,
    is_tracing,
    is_watched,
)
from seqzoo_plugins.recurrent.one_by_one import drops_by_itself, run_one_by_one
from seqzoo_plugins.recurrent.options import StackOptions

__all__ = ["Memories", "PlainStack", "RecurrentStack", "fused_layers"]


def fused_layers(
    kind: type[nn.LSTM] | type[nn.GRU] | type[nn.RNN], options: StackOptions, **particular: Any
) -> nn.RNNBase:
    """torch's own layers, batch first, with dropout between them."""
    return kind(
        options.embedding_size or options.hidden_size,
        options.hidden_size,
        options.num_layers,
        batch_first=True,
        dropout=options.dropout if options.num_layers > 1 else 0.0,
        **particular,
    )


class RecurrentStack(SequenceModel):
    """Embedding -> L recurrent layers -> linear head, dropout between them (Zaremba et al. 2014,
    arXiv:1409.2329: on the way up, never along time).

    A subclass passes torch's fused `layers`, which hold the weights, and the kernel of the same
    equations (`kernels`), which is used instead of the layers where it is faster. It defines
    `cell`, one step of one layer, and the number of memories. A subclass with another head
    overrides `forward` and calls `hidden`.

    Initialisation: recurrent matrices orthogonal gate by gate (Saxe et al. 2014, arXiv:1312.6120),
    input matrices uniform gate by gate (Glorot and Bengio 2010), biases zero, embedding N(0, 1)
    and head N(0, 1/H), so that the first loss is near ln V. Tied, both matrices are the head's
    and the embedding is scaled up by sqrt(H) (Vaswani et al. 2017, arXiv:1706.03762, section 3.4).
    torch has two biases for each gate although one is enough; both are kept and start at zero.
    """

    num_memories = 1
    by_the_cell = False
    """Whether `cell` computes every step. It is slow; the other forms are compared with it."""

    def __init__(
        self,
        layers: nn.RNNBase,
        recurrence: Recurrence,
        *,
        vocab_size: int,
        options: StackOptions,
    ) -> None:
        """layers: from `fused_layers`, which have dropout between layers."""
        super().__init__()
        self.recurrence = recurrence
        self._derived_step: Derived[Step | None] = Derived()
        self.embed = nn.Embedding(vocab_size, layers.input_size)
        self.input_dropout = nn.Dropout(options.input_dropout)
        self.layers = layers
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(layers.hidden_size, vocab_size)
        self.embedding_scale = 1.0
        nn.init.normal_(self.embed.weight)
        nn.init.normal_(self.head.weight, std=layers.hidden_size**-0.5)
        nn.init.zeros_(self.head.bias)
        if options.tied_embeddings:
            self.embed.weight = self.head.weight
            self.embedding_scale = math.sqrt(layers.hidden_size)
        for weights in layers.all_weights:
            _initialise_layer(weights, layers.hidden_size)

    @abstractmethod
    def cell(
        self, x: Float[Tensor, "B D"], memories: Memories, weights: Sequence[Tensor]
    ) -> Memories:
        """One step of one layer: memories (B, H) to memories (B, H).

        weights: input matrix, recurrent matrix and their biases, in torch's order.
        """

    def initial_state(self, batch_size: int) -> Memories:
        """`num_memories` tensors of zeros, (B, L, H) each, the hidden units first."""
        shape = (batch_size, self.layers.num_layers, self.layers.hidden_size)
        return tuple(self.head.bias.new_zeros(shape) for _ in range(self.num_memories))

    def forward(
        self, tokens: Int[Tensor, "B T"], state: Memories | None = None
    ) -> tuple[Float[Tensor, "B T V"], Memories]:
        step = self._step(tokens, state)
        if step is None:
            outputs, state = self.hidden(tokens, state)
            return self.head(self.dropout(outputs)), state
        return step.logits(tokens, self.initial_state(len(tokens)) if state is None else state)

    def hidden(
        self, tokens: Int[Tensor, "B T"], state: Memories | None = None
    ) -> tuple[Float[Tensor, "B T H"], Memories]:
        """Output of the last layer before dropout and head, and the state after the last token."""
        if state is None:
            state = self.initial_state(tokens.shape[0])
        if self.by_the_cell:
            return self._by_the_cell(tokens, state)
        step = self._step(tokens, state)
        if step is not None:
            return step.hidden(tokens, state)
        if self._may_use_kernels() and kernel_is_faster(
            self.layers.mode, self.layers.hidden_size, len(tokens)
        ):
            return self._kernel_layers(tokens, state)
        if self._is_step(tokens) and not is_watched(self.layers):
            # torch's fused LSTM rearranges its weights in every call, which takes longer than the
            # step itself; its cells do not.
            return self._by_the_cell(tokens, state)
        x = self._embedded(tokens)  # (B, T, D)
        layers_first = tuple(leaf.transpose(0, 1).contiguous() for leaf in state)
        with autocast_that_runs(self.layers):
            if drops_by_itself(self.layers) and not is_watched(self.layers):
                outputs, last = run_one_by_one(self.layers, x, layers_first)
            else:
                outputs, last = self.layers(x, layers_first if len(state) > 1 else layers_first[0])
        if not isinstance(last, tuple):
            last = (last,)
        return outputs, _typed_as(state, tuple(leaf.transpose(0, 1) for leaf in last))

    def train(self, mode: bool = True) -> RecurrentStack:
        """As in `nn.Module`; the values derived from the weights are compared with them next."""
        self._derived_step.doubt()
        return super().train(mode)

    def _is_step(self, tokens: Int[Tensor, "B T"]) -> bool:
        # Not `len`, which torch.export takes for a constant: one exported step reads any batch.
        one_each = tokens.shape[1] == 1 and tokens.shape[0] > 0
        return one_each and not self.training and not torch.is_grad_enabled()

    def _step(self, tokens: Int[Tensor, "B T"], state: Memories | None) -> Step | None:
        """The fast form for single tokens, or None where it cannot be used."""
        if self.training or torch.is_grad_enabled():
            # A graph leads to gradients, and a fused optimizer then changes the weights uncounted.
            self._derived_step.doubt()
            return None
        if tokens.shape[1] != 1 or self.by_the_cell or _torch_is_elsewhere() or len(tokens) == 0:
            return None
        weights = direct_parameters(self)
        if weights is None:
            return None
        latest = self._derived_step.value
        # What cannot change unless a weight does is examined in `_made_step` only.
        return self._derived_step.get(
            weights,
            len(tokens),
            lambda: self._made_step(len(tokens)),
            recheck=latest is None or not latest.returned(state),
        )

    def _made_step(self, batch_size: int) -> Step | None:
        # Of their own class they are not if anything is parametrised.
        if type(self.head) is not nn.Linear or type(self.embed) is not nn.Embedding:
            return None
        if not self._may_use_kernels():
            return None
        return Step(
            self.recurrence,
            self.layers.all_weights,
            symbols=self._symbols(),
            head=(self.head.weight, self.head.bias),
            batch_size=batch_size,
        )

    def _may_use_kernels(self) -> bool:
        """On the CPU, in full precision, and where no hook waits for a call of the layers."""
        weight = self.head.weight
        return (
            len(list(self.layers.parameters(recurse=False)))
            == 4 * self.layers.num_layers  # none is parametrised
            and weight.device.type == "cpu"
            and weight.dtype in (torch.float32, torch.float64)
            and not _torch_is_elsewhere()
            and not is_watched(self.embed)
            and not is_watched(self.layers)
        )

    def _kernel_layers(
        self, tokens: Int[Tensor, "B T"], state: Memories
    ) -> tuple[Float[Tensor, "B T H"], Memories]:
        dropped = self.training and self.input_dropout.p > 0
        one_by_one = dropped or self.embed.num_embeddings > tokens.numel()
        outputs, state = run_layers(
            self.recurrence,
            self.layers.all_weights,
            tokens.t(),
            state,
            symbols=self._symbols(),
            embedded=self._embedded if one_by_one else None,
            between=lambda x: F.dropout(x, self.layers.dropout, self.training),
        )
        return outputs.transpose(0, 1), state

    def _embedded(self, tokens: Int[Tensor, "R C"]) -> Float[Tensor, "R C D"]:
        x = self.embed(tokens)
        x = x * self.embedding_scale if self.embedding_scale != 1.0 else x
        embedded: Tensor = self.input_dropout(x)
        return embedded

    def _symbols(self) -> Float[Tensor, "V D"]:
        symbols = self.embed.weight
        return symbols * self.embedding_scale if self.embedding_scale != 1.0 else symbols

    def _by_the_cell(
        self, tokens: Int[Tensor, "B T"], state: Memories
    ) -> tuple[Float[Tensor, "B T H"], Memories]:
        """The naive form: `cell` for each token and layer."""
        memories = [tuple(leaf[:, layer] for leaf in state) for layer in range(state[0].shape[1])]
        outputs = []
        for x in self._embedded(tokens).unbind(1):
            for layer, weights in enumerate(self.layers.all_weights):
                if layer > 0:
                    x = F.dropout(x, self.layers.dropout, self.training)
                memories[layer] = self.cell(x, memories[layer], weights)
                x = memories[layer][0]
            outputs.append(x)
        last = tuple(torch.stack(leaf, dim=1) for leaf in zip(*memories, strict=True))
        return torch.stack(outputs, dim=1), _typed_as(state, last)


class PlainStack(nn.Module):
    """The same network in ordinary torch, with the state in torch's order. `seqzoo bench` and the
    tests compare a `RecurrentStack` with it.
    """

    def __init__(self, layers: nn.RNNBase, *, vocab_size: int, options: StackOptions) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, layers.input_size)
        self.input_dropout = nn.Dropout(options.input_dropout)
        self.layers = layers
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(layers.hidden_size, vocab_size)
        self.embedding_scale = 1.0
        if options.tied_embeddings:
            self.embed.weight = self.head.weight
            self.embedding_scale = math.sqrt(layers.hidden_size)

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        x = self.input_dropout(self.embed(tokens) * self.embedding_scale)
        outputs, state = self.layers(x, state)
        return self.head(self.dropout(outputs)), state


def _torch_is_elsewhere() -> bool:
    """Whether torch uses another precision, or records the operations (compilation, tracing)."""
    return torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling() or is_tracing()


def _typed_as(state: Memories, new_state: Memories) -> Memories:
    """The new state in the type of the old one; under autocast layers return half precision."""
    return tuple(new.to(old.dtype) for new, old in zip(new_state, state, strict=True))


@torch.no_grad()
def _initialise_layer(weights: Sequence[Tensor], hidden_size: int) -> None:
    input_matrix, recurrent_matrix, *biases = weights
    for gate in input_matrix.split(hidden_size):
        nn.init.xavier_uniform_(gate)
    for gate in recurrent_matrix.split(hidden_size):
        nn.init.orthogonal_(gate)
    for bias in biases:
        nn.init.zeros_(bias)
