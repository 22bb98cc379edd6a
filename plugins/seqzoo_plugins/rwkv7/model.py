"""RWKV-7 as a whole: embedding, blocks that pass on the first layer's value, head, and state."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo import ParameterRole, SequenceModel
from seqzoo_plugins.residual.single_tokens import read_single_tokens
from seqzoo_plugins.rwkv7.initialisation import initialise_channel_mix, initialise_time_mix
from seqzoo_plugins.rwkv7.layers import ChannelMix, TimeMemory, TimeMix
from seqzoo_plugins.rwkv7.options import RWKV7Options

__all__ = ["RWKV7", "RWKV7Memory"]


class RWKV7Memory(NamedTuple):
    """Of one layer. time: of the delta rule. channel: (B, D), the last input of the channel mix."""

    time: TimeMemory
    channel: Float[Tensor, "B D"]


class RWKV7Block(nn.Module):
    """A time mix and a channel mix, each on the normed stream and added to it."""

    def __init__(self, options: RWKV7Options, *, layer: int) -> None:
        super().__init__()
        D, L = options.hidden_size, options.num_layers
        self.time_norm = nn.LayerNorm(D)
        self.time_mix = TimeMix(options, layer=layer)
        self.channel_norm = nn.LayerNorm(D)
        self.channel_mix = ChannelMix(D, options.mlp_size)
        self.dropout = nn.Dropout(options.dropout)
        initialise_time_mix(self.time_mix, layer=layer, num_layers=L)
        initialise_channel_mix(self.channel_mix, layer=layer, num_layers=L)

    def initial_state(self, batch_size: int) -> RWKV7Memory:
        return RWKV7Memory(
            self.time_mix.initial_state(batch_size), self.channel_mix.initial_state(batch_size)
        )

    def forward(
        self, x: Tensor, state: RWKV7Memory, first_value: Tensor | None
    ) -> tuple[Tensor, RWKV7Memory, Tensor]:
        mixed, time, first_value = self.time_mix(self.time_norm(x), state.time, first_value)
        x = x + self.dropout(mixed)
        mixed, channel = self.channel_mix(self.channel_norm(x), state.channel)
        return x + self.dropout(mixed), RWKV7Memory(time, channel), first_value


class RWKV7(SequenceModel):
    """RWKV-7, Peng et al. 2025, arXiv:2503.14456: embedding -> norm -> L blocks -> norm -> head.

    It is not a ResidualStack: each layer also receives the first layer's value, its norms have a
    bias, and its feed-forward part has a state. State: a tuple of one RWKV7Memory for each layer.

    With `token_by_token`, one token is read after the other, so that the recurrence is computed as
    its equation says. It is slow; the parallel form is compared with it.

    Initialisation: that of the public training code. Embedding U(-1e-4, 1e-4), head orthogonal.
    """

    token_by_token = False

    def __init__(self, options: RWKV7Options, *, vocab_size: int) -> None:
        super().__init__()
        D = options.hidden_size
        self.embed = nn.Embedding(vocab_size, D)
        self.embed_norm = nn.LayerNorm(D)
        self.dropout = nn.Dropout(options.dropout)
        self.blocks: Any = nn.ModuleList(
            RWKV7Block(options, layer=layer) for layer in range(options.num_layers)
        )
        self.norm = nn.LayerNorm(D)
        self.head = nn.Linear(D, vocab_size, bias=False)
        nn.init.uniform_(self.embed.weight, -1e-4, 1e-4)
        nn.init.orthogonal_(self.head.weight, gain=0.5 * math.sqrt(max(1.0, vocab_size / D)))
        if options.tied_embeddings:
            self.embed.weight = self.head.weight

    def parameter_roles(self) -> dict[str, ParameterRole]:
        """Weight decay acts on the large matrices only, as in the public training code."""
        return {
            name: role if role.use != "other" and ".outputs." not in name and ".inputs." not in name
            else replace(role, decay=False)
            for name, role in super().parameter_roles().items()
        }  # fmt: skip

    def initial_state(self, batch_size: int) -> tuple[RWKV7Memory, ...]:
        """The state of each block, from the first to the last."""
        return tuple(block.initial_state(batch_size) for block in self.blocks)

    def forward(
        self, tokens: Int[Tensor, "B T"], state: tuple[RWKV7Memory, ...] | None = None
    ) -> tuple[Float[Tensor, "B T V"], tuple[RWKV7Memory, ...]]:
        if state is None:
            state = self.initial_state(len(tokens))
        if self.token_by_token and tokens.shape[1] > 1:
            return read_single_tokens(self, tokens, state)
        x = self.dropout(self.embed_norm(self.embed(tokens)))
        first_value, after = None, []
        for block, before in zip(self.blocks, state, strict=True):
            x, memory, first_value = block(x, before, first_value)
            after.append(memory)
        return self.head(self.norm(x)), tuple(after)
