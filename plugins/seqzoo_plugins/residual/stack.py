"""The common parts of residual architectures: embedding, blocks, norms, dropout, head and state."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo import SequenceModel, State
from seqzoo_plugins.residual.options import ResidualOptions
from seqzoo_plugins.residual.single_tokens import read_single_tokens

__all__ = ["Block", "Mixer", "ResidualStack", "read_with", "scale_residual_outputs"]


class Mixer(nn.Module):
    """The part of a block that mixes tokens: (B, T, D) and a state to (B, T, D) and a state."""

    @abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """A NamedTuple of tensors (B, ...), as before the first token."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "B T D"], state: Any) -> tuple[Float[Tensor, "B T D"], Any]:
        """What is added to the residual stream, and the state after the last token."""


FeedForwardOfSize: TypeAlias = Callable[[int, int], nn.Module]
"""Makes the feed-forward part of a block from hidden_size and mlp_size."""


class Block(nn.Module):
    """A mixer and a feed-forward part, each on the normed stream and added to it."""

    def __init__(
        self, mixer: Mixer, options: ResidualOptions, feed_forward: FeedForwardOfSize | None
    ) -> None:
        """feed_forward: used for an mlp_size above 0; None for none."""
        super().__init__()
        D, mlp_size = options.hidden_size, options.mlp_size
        has_mlp = feed_forward is not None and mlp_size > 0
        self.mixer_norm = nn.LayerNorm(D, bias=False)
        self.mixer = mixer
        self.mlp_norm = nn.LayerNorm(D, bias=False) if has_mlp else None
        self.mlp = feed_forward(D, mlp_size) if feed_forward and has_mlp else None
        self.dropout = nn.Dropout(options.dropout)

    def initial_state(self, batch_size: int) -> State:
        """That of the mixer."""
        return self.mixer.initial_state(batch_size)

    def forward(self, x: Tensor, state: State, *further: Any) -> tuple[Tensor, State]:
        """further: what the mixer takes beside them."""
        mixed, state = self.mixer(self.mixer_norm(x), state, *further)
        x = x + self.dropout(mixed)
        if self.mlp is not None and self.mlp_norm is not None:
            x = x + self.dropout(self.mlp(self.mlp_norm(x)))
        return x, state


class ResidualStack(SequenceModel):
    """Embedding -> L blocks -> norm -> linear head. A block is pre-norm:

        x = x + mixer(norm(x))
        x = x + mlp(norm(x))                 where there is one

    A subclass passes its mixers, and feed-forward parts if it has any. The state is a tuple with
    the state of each mixer. Norms are LayerNorm without a bias: on a CPU, torch's RMSNorm takes
    several times as long.

    With `token_by_token`, one token is read after the other, so that every recurrence is computed
    as its equation says. It is slow; the parallel forms are compared with it.

    Initialisation: embedding and head N(0, 0.02²); `scale_residual_outputs` is GPT-2's
    (Radford et al. 2019, section 2.3).
    """

    token_by_token = False

    def __init__(
        self,
        mixers: Iterable[Mixer],
        options: ResidualOptions,
        *,
        vocab_size: int,
        feed_forward: FeedForwardOfSize | None = None,
    ) -> None:
        """mixers: one for each block, in order."""
        super().__init__()
        D = options.hidden_size
        self.embed = nn.Embedding(vocab_size, D)
        self.dropout = nn.Dropout(options.dropout)
        self.blocks: Any = nn.ModuleList(Block(mixer, options, feed_forward) for mixer in mixers)
        self.norm = nn.LayerNorm(D, bias=False)
        self.head = nn.Linear(D, vocab_size, bias=False)
        nn.init.normal_(self.embed.weight, std=0.02)
        nn.init.normal_(self.head.weight, std=0.02)
        if options.tied_embeddings:
            self.embed.weight = self.head.weight

    def initial_state(self, batch_size: int) -> State:
        """The states of the mixers, from the first block to the last."""
        return tuple(block.initial_state(batch_size) for block in self.blocks)

    def forward(
        self, tokens: Int[Tensor, "B T"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T V"], State]:
        if state is None:
            state = self.initial_state(len(tokens))
        if self.token_by_token and tokens.shape[1] > 1:
            return read_single_tokens(self, tokens, state)
        x, state = self.through_blocks(self.dropout(self.embed(tokens)), tokens, state)
        return self.head(self.norm(x)), state

    def through_blocks(
        self, x: Float[Tensor, "B T D"], tokens: Int[Tensor, "B T"], state: State
    ) -> tuple[Float[Tensor, "B T D"], State]:
        """The residual stream after all blocks, and the state. A subclass may have other ways."""
        return read_with(self.blocks, x, state)


def read_with(
    blocks: Iterable[Block], x: Tensor, state: Iterable[State], *further: Any
) -> tuple[Tensor, tuple[State, ...]]:
    """x after the blocks, one after the other, and their states.

    further: what their mixers take beside them.
    """
    after = []
    for block, before in zip(blocks, state, strict=True):
        x, mixed = block(x, before, *further)
        after.append(mixed)
    return x, tuple(after)


@torch.no_grad()
def scale_residual_outputs(outputs: Iterable[nn.Linear], *, additions: int) -> None:
    """Divide what is added to the residual stream by the root of the number of additions."""
    for layer in outputs:
        layer.weight /= math.sqrt(additions)
