"""SpaceByte: blocks that read every byte, and larger ones that read the ends of words."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import State, Tokenizer
from seqzoo_plugins.residual.feed_forward import FeedForward
from seqzoo_plugins.residual.options import ResidualOptions
from seqzoo_plugins.residual.stack import Block, ResidualStack, read_with
from seqzoo_plugins.residual.window_attention import Attended, WindowAttention
from seqzoo_plugins.spacebyte.boundaries import spacelike_tokens
from seqzoo_plugins.spacebyte.options import SpaceByteOptions

__all__ = ["Read", "SpaceByte"]


class Read(NamedTuple):
    """What was read. in_space: (B,) whether the last token was spacelike.

    local_blocks, global_blocks: the last keys and values of each block.
    """

    in_space: Bool[Tensor, " B"]
    local_blocks: tuple[Attended, ...]
    global_blocks: tuple[Attended, ...]


class SpaceByte(ResidualStack):
    """Slagle 2024, arXiv:2404.14408, section 3. L blocks of width D read every token; then the
    first token of each run of spacelike ones goes through blocks of width G; then L more blocks
    read every token:

        x = local blocks(x)
        y = [0, x[s]]                      s: where words end; the first G - D elements are zeros
        x[s] = x[s] + (the last D elements of global blocks(y))
        x = local blocks(x)

    Other tokens receive what the global blocks computed through the attention of the last blocks.
    A token at which a word ends is the one that predicts the first byte of the next word.

    The paper's position tables end at a fixed length, so positions here are rotary alone, counted
    in bytes below and in words above; the global blocks attend to the last words, not to all.
    Global blocks have no dropout: how many tokens they read would depend on the other rows, and
    with it which numbers are drawn for a row.

    Initialisation: matrices of the blocks N(0, 1 / fan in), the published code's "simple" form.
    """

    is_spacelike: Tensor

    def __init__(
        self, options: SpaceByteOptions, *, vocab_size: int, tokenizer: Tokenizer | None = None
    ) -> None:
        """tokenizer: says which tokens are spacelike; None if ids are bytes."""
        wide = options.model_copy(update={"hidden_size": options.global_size, "dropout": 0.0})
        super().__init__(
            [_attention(options, options.window) for _ in range(2 * options.num_layers)],
            options,
            vocab_size=vocab_size,
            feed_forward=_relu_feed_forward,
        )
        self.num_layers = options.num_layers
        self.extra_width = options.global_size - options.hidden_size
        self.global_blocks: Any = nn.ModuleList(
            Block(_attention(wide, options.global_window), wide, _relu_feed_forward)
            for _ in range(options.global_layers)
        )
        spacelike = spacelike_tokens(vocab_size, tokenizer)
        self.register_buffer("is_spacelike", spacelike, persistent=False)
        for module in (*self.blocks.modules(), *self.global_blocks.modules()):
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)

    def initial_state(self, batch_size: int) -> Read:
        return Read(
            torch.zeros(batch_size, dtype=torch.bool, device=self.head.weight.device),
            super().initial_state(batch_size),
            tuple(block.initial_state(batch_size) for block in self.global_blocks),
        )

    def through_blocks(
        self, x: Float[Tensor, "B T D"], tokens: Int[Tensor, "B T"], state: Read
    ) -> tuple[Float[Tensor, "B T D"], State]:
        L = self.num_layers
        spacelike = self.is_spacelike[tokens]
        earlier = torch.cat([state.in_space.unsqueeze(1), spacelike[:, :-1]], dim=1)
        x, first = read_with(self.blocks[:L], x, state.local_blocks[:L])
        x, words = self._at_ends(x, spacelike & ~earlier, state.global_blocks)
        x, last = read_with(self.blocks[L:], x, state.local_blocks[L:])
        return x, Read(spacelike[:, -1], first + last, words)

    def _at_ends(
        self, x: Tensor, ends: Bool[Tensor, "B T"], state: tuple[Attended, ...]
    ) -> tuple[Tensor, tuple[Attended, ...]]:
        """The stream with the global blocks' output added where words end, and their state."""
        counts = ends.sum(1)
        most = int(counts.max())
        if most == 0:
            return x, state
        # The places where words end, the first ones of each row; then others, which do not count.
        places = ends.int().argsort(dim=1, descending=True, stable=True)[:, :most]
        is_end = torch.arange(most, device=x.device) < counts.unsqueeze(1)
        index = places.unsqueeze(2).expand(-1, -1, x.shape[2])
        y = F.pad(x.gather(1, index), (self.extra_width, 0))
        y, after = read_with(self.global_blocks, y, state, counts)
        added = y[..., self.extra_width :] * is_end.unsqueeze(2)
        return x.scatter_add(1, index, added.to(x.dtype)), after


def _attention(options: ResidualOptions, window: int) -> WindowAttention:
    assert isinstance(options, SpaceByteOptions)
    return WindowAttention(
        options.hidden_size, num_heads=options.num_heads, window=window, qk_norm=True
    )


def _relu_feed_forward(hidden_size: int, mlp_size: int) -> FeedForward:
    return FeedForward(hidden_size, mlp_size, activation=F.relu)
