"""The common parts of residual architectures: embedding, blocks, norms, dropout, head and state."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo import SequenceModel, State
from seqzoo_plugins.residual.options import ResidualOptions

__all__ = ["Block", "Mixer", "ResidualStack", "scale_residual_outputs"]


class Mixer(nn.Module):
    """The part of a block that mixes tokens: (B, T, D) and a state to (B, T, D) and a state."""

    @abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """A NamedTuple of tensors (B, ...), as before the first token."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "B T D"], state: Any) -> tuple[Float[Tensor, "B T D"], Any]:
        """What is added to the residual stream, and the state after the last token."""


class Block(nn.Module):
    """A mixer and a feed-forward part, each on the normed stream and added to it."""

    def __init__(
        self, mixer: Mixer, feed_forward: nn.Module | None, options: ResidualOptions
    ) -> None:
        super().__init__()
        D = options.hidden_size
        self.mixer_norm = nn.LayerNorm(D, bias=False)
        self.mixer = mixer
        self.mlp_norm = nn.LayerNorm(D, bias=False) if feed_forward else None
        self.mlp = feed_forward
        self.dropout = nn.Dropout(options.dropout)

    def initial_state(self, batch_size: int) -> State:
        """That of the mixer."""
        return self.mixer.initial_state(batch_size)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        mixed, state = self.mixer(self.mixer_norm(x), state)
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
        feed_forward: Callable[[int, int], nn.Module] | None = None,
    ) -> None:
        """feed_forward: makes that part of one block from hidden_size and mlp_size, for an mlp_size
        above 0; None: the blocks have none.
        """
        super().__init__()
        D = options.hidden_size
        self.embed = nn.Embedding(vocab_size, D)
        self.dropout = nn.Dropout(options.dropout)
        self.blocks: Any = nn.ModuleList(
            Block(
                mixer,
                feed_forward(D, options.mlp_size) if feed_forward and options.mlp_size else None,
                options,
            )
            for mixer in mixers
        )
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
            pieces = []
            for token in tokens.split(1, dim=1):
                logits, state = self(token, state)
                pieces.append(logits)
            return torch.cat(pieces, dim=1), state
        x = self.dropout(self.embed(tokens))
        after = []
        for block, before in zip(self.blocks, state, strict=True):
            x, mixed = block(x, before)
            after.append(mixed)
        return self.head(self.norm(x)), tuple(after)


@torch.no_grad()
def scale_residual_outputs(outputs: Iterable[nn.Linear], *, additions: int) -> None:
    """Divide what is added to the residual stream by the root of the number of additions."""
    for layer in outputs:
        layer.weight /= math.sqrt(additions)
