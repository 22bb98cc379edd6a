"""The transformer: rotary positions, attention inside a window, and the cache of keys and values.

B batch, T time, D width, W window, C = W - 1 cached tokens, V vocabulary.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import SequenceModel
from seqzoo.ops import window_attention, window_masks
from seqzoo_plugins.transformer.options import TransformerOptions

__all__ = ["Cache", "Transformer"]


class Cache(NamedTuple):
    """The last W - 1 tokens, as the next token sees them; the newest is last.

    length: (B,) number of tokens in the cache; the other places are empty and masked.
    keys, values: for each layer (B, key_heads, C, D / heads); keys are not yet rotated.
    """

    length: Int[Tensor, " B"]
    keys: tuple[Float[Tensor, "B key_heads C head_size"], ...]
    values: tuple[Float[Tensor, "B key_heads C head_size"], ...]


class Transformer(SequenceModel):
    """Pre-norm transformer (Vaswani et al. 2017, arXiv:1706.03762) over a sliding window:

        x = x + attention(norm(x))
        x = x + W2 gelu(W1 norm(x))          or W2 (silu(W3 norm(x)) * W1 norm(x))

    Each token attends to itself and the W - 1 before it, in training too, so that a cache of W - 1
    keys and values continues a stream exactly. Positions are rotary (Su et al. 2021,
    arXiv:2104.09864): logits depend on distances only.

    Options, all off at first: RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4); SwiGLU
    (Shazeer 2020, arXiv:2002.05202, eq. 6); key and value heads that several query heads share
    (Ainslie et al. 2023, arXiv:2305.13245); queries and keys of root mean square 1 (Henry et al.
    2020, arXiv:2010.04245, with the root mean square); and values mixed with those of the first
    layer, v = (1 - a) v + a v1 (Zhou et al. 2024, arXiv:2410.17897, eq. 4, a learnt from 1/2).

    Initialisation: GPT-2's (Radford et al. 2019, section 2.3): N(0, 0.02²), with
    matrices that add to the residual stream divided by sqrt(2 L), because L layers add twice each.
    """

    def __init__(self, options: TransformerOptions, *, vocab_size: int) -> None:
        super().__init__()
        D = options.hidden_size
        self.window = options.window
        self.embed = nn.Embedding(vocab_size, D)
        self.dropout = nn.Dropout(options.dropout)
        self.blocks = nn.ModuleList(
            _Block(options, mixes_values=options.value_residual and layer > 0)
            for layer in range(options.num_layers)
        )
        self.cache_shape = (options.key_heads, options.window - 1, D // options.num_heads)
        self.norm = _norm(options)
        self.head = nn.Linear(D, vocab_size, bias=False)
        self._initialise(options.num_layers)
        if options.tied_embeddings:
            self.embed.weight = self.head.weight

    def _initialise(self, num_layers: int) -> None:
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                added = name.endswith(("attention_out.weight", "mlp_out.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * num_layers if added else 1))

    def initial_state(self, batch_size: int) -> Cache:
        """An empty cache."""
        shape = (batch_size, *self.cache_shape)
        empty = tuple(self.head.weight.new_zeros(shape) for _ in self.blocks)
        length = torch.zeros(batch_size, dtype=torch.int64, device=self.head.weight.device)
        return Cache(length, empty, empty)

    def forward(
        self, tokens: Int[Tensor, "B T"], state: Cache | None = None
    ) -> tuple[Float[Tensor, "B T V"], Cache]:
        B, T = tokens.shape
        if state is None:
            state = self.initial_state(B)
        masks = window_masks(T, state.length, self.window)
        x = self.dropout(self.embed(tokens))  # (B, T, D)
        cached = []
        first_values = None
        for block, keys, values in zip(self.blocks, state.keys, state.values, strict=True):
            x, *seen = block(x, keys, values, masks, first_values)
            if first_values is None:
                first_values = seen[1][:, :, self.window - 1 :]
            # A view of the last W - 1: a copy would take more time than the memory is worth.
            cached.append([leaf[:, :, T:] for leaf in seen])
        length = (state.length + T).clamp(max=self.window - 1)
        return self.head(self.norm(x)), Cache(length, *map(tuple, zip(*cached, strict=True)))


class _Block(nn.Module):
    """Attention, then two layers of feed-forward, each added to the residual stream.

    Dropout acts on the added outputs and not on the attention weights, which the fast kernels of
    scaled_dot_product_attention do not store.
    """

    def __init__(self, options: TransformerOptions, *, mixes_values: bool) -> None:
        super().__init__()
        D = options.hidden_size
        self.heads = (options.num_heads, options.key_heads, options.key_heads)
        self.window = options.window
        self.norms_keys = options.qk_norm
        self.attention_norm = _norm(options)
        self.attention_in = nn.Linear(D, sum(self.heads) * D // options.num_heads, bias=False)
        self.attention_out = nn.Linear(D, D, bias=False)
        self.first_value_share = nn.Parameter(torch.tensor(0.5)) if mixes_values else None
        self.mlp_norm = _norm(options)
        self.mlp_in = nn.Linear(D, options.mlp_ratio * D, bias=False)
        self.mlp_gate = None
        if options.feed_forward == "swiglu":
            self.mlp_gate = nn.Linear(D, options.mlp_ratio * D, bias=False)
        self.mlp_out = nn.Linear(options.mlp_ratio * D, D, bias=False)
        self.dropout = nn.Dropout(options.dropout)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        keys: Tensor,
        values: Tensor,
        masks: list[Tensor],
        first_values: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The residual stream after this block, and the cached keys and values with T new ones.

        first_values: of the T tokens in the first block; None in the first block.
        """
        projected = self.attention_in(self.attention_norm(x)).unflatten(2, (sum(self.heads), -1))
        # (B, heads, T, head_size) each
        queries, new_keys, new_values = projected.transpose(1, 2).split(self.heads, dim=1)
        if self.norms_keys:
            queries, new_keys = (F.rms_norm(each, each.shape[-1:]) for each in (queries, new_keys))
        if self.first_value_share is not None and first_values is not None:
            share = self.first_value_share  # no lerp: under autocast the three are of two types
            new_values = (1 - share) * new_values + share * first_values
        keys = torch.cat([keys, new_keys], dim=2)  # (B, key_heads, C + T, head_size)
        values = torch.cat([values, new_values], dim=2)
        attended = window_attention(queries, keys, values, masks, window=self.window)
        attended = attended.transpose(1, 2).flatten(2)  # (B, T, D)
        x = x + self.dropout(self.attention_out(attended))
        return x + self.dropout(self.mlp_out(self._units(self.mlp_norm(x)))), keys, values

    def _units(self, x: Tensor) -> Tensor:
        """The hidden units of the feed-forward part."""
        units: Tensor = self.mlp_in(x)
        return F.gelu(units) if self.mlp_gate is None else F.silu(self.mlp_gate(x)) * units


def _norm(options: TransformerOptions) -> nn.Module:
    if options.norm == "rms":
        return nn.RMSNorm(options.hidden_size, eps=1e-5)
    return nn.LayerNorm(options.hidden_size, bias=False)
