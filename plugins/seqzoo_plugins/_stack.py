"""What the recurrent architectures share: embedding, stacked layers, dropout, head, state."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo import SequenceModel
from seqzoo_plugins._stack_options import StackOptions

__all__ = ["Memories", "PlainStack", "RecurrentStack", "fused_layers"]

Memories: TypeAlias = tuple[Tensor, ...]
"""What the layers remember, hidden units first: (B, L, H) each, as the carried state holds it."""


def fused_layers(
    kind: type[nn.LSTM] | type[nn.GRU] | type[nn.RNN], options: StackOptions, **particular: Any
) -> nn.RNNBase:
    """torch's own layers of a kind, batch first, with dropout between them."""
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

    A subclass names torch's fused `layers`, its one-step `cell` and the number of memories.

    Initialisation: recurrent matrices orthogonal gate by gate (Saxe et al. 2014, arXiv:1312.6120),
    input matrices uniform gate by gate (Glorot and Bengio 2010), biases zero, embedding N(0, 1)
    and head N(0, 1/H), so that the first loss is near ln V. Tied, both matrices are the head's
    and the embedding is scaled up by sqrt(H) (Vaswani et al. 2017, arXiv:1706.03762, section 3.4).
    torch keeps two biases for each gate where one would do; both stay, and both start at zero.
    """

    num_memories = 1

    def __init__(self, layers: nn.RNNBase, *, vocab_size: int, options: StackOptions) -> None:
        """layers: `fused_layers`; their dropout acts between them, ours on both ends."""
        super().__init__()
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

        weights: input matrix, recurrent matrix and their biases, as torch orders them.
        """

    def initial_state(self, batch_size: int) -> Memories:
        """Zeros, `num_memories` leaves of (B, L, H)."""
        shape = (batch_size, self.layers.num_layers, self.layers.hidden_size)
        return tuple(self.head.bias.new_zeros(shape) for _ in range(self.num_memories))

    def forward(
        self, tokens: Int[Tensor, "B T"], state: Memories | None = None
    ) -> tuple[Float[Tensor, "B T V"], Memories]:
        outputs, state = self.hidden(tokens, state)
        return self.head(self.dropout(outputs)), state

    def hidden(
        self, tokens: Int[Tensor, "B T"], state: Memories | None = None
    ) -> tuple[Float[Tensor, "B T H"], Memories]:
        """What the highest layer gives, before dropout and head; the state after the last token."""
        if state is None:
            state = self.initial_state(tokens.shape[0])
        x = self.embed(tokens)  # (B, T, D)
        if self.embedding_scale != 1.0:
            x = x * self.embedding_scale
        if tokens.shape[1] == 1 and not self.training and not torch.is_grad_enabled():
            outputs, state = self._step(x.squeeze(1), state)
            return outputs.unsqueeze(1), state
        layers_first = tuple(leaf.transpose(0, 1).contiguous() for leaf in state)
        outputs, last = self.layers(
            self.input_dropout(x), layers_first if len(state) > 1 else layers_first[0]
        )
        if len(state) == 1:
            last = (last,)
        return outputs, _typed_as(state, tuple(leaf.transpose(0, 1) for leaf in last))

    def _step(self, x: Float[Tensor, "B D"], state: Memories) -> tuple[Tensor, Memories]:
        """One token without a graph. torch's fused LSTM lays out its weights anew on every call,
        which costs more than the step itself; the plain cells do not.
        """
        stepped = []
        for layer, weights in enumerate(self.layers.all_weights):
            memories = self.cell(x, tuple(leaf[:, layer] for leaf in state), weights)
            stepped.append(memories)
            x = memories[0]
        new_state = tuple(torch.stack(leaf, dim=1) for leaf in zip(*stepped, strict=True))
        return x, _typed_as(state, new_state)


class PlainStack(nn.Module):
    """The same network as anyone would write it in torch, its state as torch orders it: what
    `seqzoo bench` and the tests hold a `RecurrentStack` against.
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


def _typed_as(state: Memories, new_state: Memories) -> Memories:
    """Under autocast layers give half precision; the state keeps the type that it began with."""
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
