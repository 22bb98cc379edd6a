"""The transformer: rotary positions, attention inside a window, and the cache of keys and values.

B batch, T time, D width, W window, C = W - 1 cached tokens, V vocabulary.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import SequenceModel
from seqzoo_plugins.transformer.options import TransformerOptions

__all__ = ["Cache", "Transformer"]

_ROTARY_BASE = 10_000.0


class Cache(NamedTuple):
    """The last W - 1 tokens, as the next token sees them; the newest is last.

    length: (B,) number of tokens in the cache; the other places are empty and masked.
    keys, values: for each layer (B, heads, C, D / heads); keys are not yet rotated.
    """

    length: Int[Tensor, " B"]
    keys: tuple[Float[Tensor, "B heads C head_size"], ...]
    values: tuple[Float[Tensor, "B heads C head_size"], ...]


class Transformer(SequenceModel):
    """Pre-norm transformer (Vaswani et al. 2017, arXiv:1706.03762) over a sliding window:

        x = x + attention(norm(x))
        x = x + W2 gelu(W1 norm(x))

    Each token attends to itself and the W - 1 before it, in training too, so that a cache of W - 1
    keys and values continues a stream exactly. Positions are rotary (Su et al. 2021,
    arXiv:2104.09864): logits depend on distances only. Keys are cached before rotation and
    rotated by their distance from the start of the chunk, so positions do not grow and no precision
    is lost.

    Initialisation: GPT-2's (Radford et al. 2019, section 2.3): N(0, 0.02²), with
    matrices that add to the residual stream divided by sqrt(2 L), because L layers add twice each.
    """

    def __init__(self, options: TransformerOptions, *, vocab_size: int) -> None:
        super().__init__()
        D = options.hidden_size
        self.window = options.window
        self.num_heads = options.num_heads
        self.embed = nn.Embedding(vocab_size, D)
        self.dropout = nn.Dropout(options.dropout)
        self.blocks = nn.ModuleList(_Block(options) for _ in range(options.num_layers))
        self.norm = nn.LayerNorm(D, bias=False)
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
        D = self.head.in_features
        shape = (batch_size, self.num_heads, self.window - 1, D // self.num_heads)
        empty = tuple(self.head.weight.new_zeros(shape) for _ in self.blocks)
        length = torch.zeros(batch_size, dtype=torch.int64, device=self.head.weight.device)
        return Cache(length, empty, empty)

    def forward(
        self, tokens: Int[Tensor, "B T"], state: Cache | None = None
    ) -> tuple[Float[Tensor, "B T V"], Cache]:
        B, T = tokens.shape
        if state is None:
            state = self.initial_state(B)
        masks = _masks(T, state.length, self.window)
        rotation = _rotation(
            2 * self.window - 1,
            self.head.in_features // self.num_heads,
            self.head.weight.device,
            self.head.weight.dtype,
        )
        x = self.dropout(self.embed(tokens))  # (B, T, D)
        cached = []
        for block, keys, values in zip(self.blocks, state.keys, state.values, strict=True):
            x, *seen = block(x, keys, values, masks, rotation)
            # A view of the last W - 1: a copy would take more time than the memory is worth.
            cached.append([leaf[:, :, T:] for leaf in seen])
        length = (state.length + T).clamp(max=self.window - 1)
        return self.head(self.norm(x)), Cache(length, *map(tuple, zip(*cached, strict=True)))


class _Block(nn.Module):
    """Attention, then two layers of feed-forward, each added to the residual stream.

    Dropout acts on the added outputs and not on the attention weights, which the fast kernels of
    scaled_dot_product_attention do not store.
    """

    def __init__(self, options: TransformerOptions) -> None:
        super().__init__()
        D = options.hidden_size
        self.num_heads = options.num_heads
        self.window = options.window
        self.attention_norm = nn.LayerNorm(D, bias=False)
        self.attention_in = nn.Linear(D, 3 * D, bias=False)
        self.attention_out = nn.Linear(D, D, bias=False)
        self.mlp_norm = nn.LayerNorm(D, bias=False)
        self.mlp_in = nn.Linear(D, options.mlp_ratio * D, bias=False)
        self.mlp_out = nn.Linear(options.mlp_ratio * D, D, bias=False)
        self.dropout = nn.Dropout(options.dropout)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        keys: Tensor,
        values: Tensor,
        masks: list[Tensor],
        rotation: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The residual stream after this block, and the cached keys and values with T new ones."""
        projected = self.attention_in(self.attention_norm(x))
        queries, new_keys, new_values = (
            projected.unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4).unbind()
        )  # (B, heads, T, head_size) each
        keys = torch.cat([keys, new_keys], dim=2)  # (B, heads, C + T, head_size)
        values = torch.cat([values, new_values], dim=2)
        attended = self._attend(queries, keys, values, masks, rotation)
        attended = attended.transpose(1, 2).flatten(2)  # (B, T, D)
        x = x + self.dropout(self.attention_out(attended))
        x = x + self.dropout(self.mlp_out(F.gelu(self.mlp_in(self.mlp_norm(x)))))
        return x, keys, values

    def _attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, masks: list[Tensor], rotation: Tensor
    ) -> Tensor:
        """W queries at a time, each piece with the 2 W - 1 keys that it can attend to, so that time
        and memory grow with T W and not with T².
        """
        pieces = []
        for start, mask in zip(range(0, queries.shape[2], self.window), masks, strict=True):
            near = slice(start, start + mask.shape[-1])
            pieces.append(
                F.scaled_dot_product_attention(
                    _rotate(queries[:, :, start : start + self.window], rotation, self.window - 1),
                    _rotate(keys[:, :, near], rotation, 0),
                    values[:, :, near],
                    attn_mask=mask,
                )
            )
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)


def _masks(num_tokens: int, length: Int[Tensor, " B"], window: int) -> list[Bool[Tensor, "*shape"]]:
    """The keys of each query, one mask for each W queries: (n, n + C), the first (B, 1, n, n + C).

    Query i is at key i + C and attends to keys i ... i + C, except empty places of the cache.
    """
    size = min(num_tokens, window)
    key = torch.arange(size + window - 1, device=length.device)
    query = torch.arange(size, device=length.device).unsqueeze(1)
    band = (key >= query) & (key < query + window)
    filled = key >= window - 1 - length.view(-1, 1, 1, 1)
    masks = [band & filled]
    # Only the first piece attends to the cache.
    for start in range(window, num_tokens, window):
        size = min(num_tokens - start, window)
        masks.append(band[:size, : size + window - 1])
    return masks


@functools.lru_cache(maxsize=8)
def _rotation(
    num_positions: int, head_size: int, device: torch.device, dtype: torch.dtype
) -> Float[Tensor, "2 positions head_size"]:
    """Cosines, and sines signed for `_rotate`, of position times base^(-2 i / head_size).

    Computed in float64 and then rounded: in float32 the angles would have errors of 1e-4.
    """
    with torch.inference_mode(False):  # training also uses what evaluation creates first
        frequencies = _ROTARY_BASE ** -torch.arange(0, 1, 2 / head_size, dtype=torch.float64)
        angles = torch.outer(torch.arange(num_positions, dtype=torch.float64), frequencies)
        cosines, sines = angles.cos(), angles.sin()
        table = torch.stack([torch.cat([cosines, cosines], 1), torch.cat([-sines, sines], 1)])
        return table.to(dtype).to(device)  # in this order: mps has no float64


def _rotate(
    x: Float[Tensor, "B heads n head_size"], rotation: Tensor, first: int
) -> Float[Tensor, "B heads n head_size"]:
    """Rotate each pair of x by its angle at positions first, first + 1, ... (Su et al., eq. 34).

    A pair is (i, i + head_size / 2), so that a roll swaps the two.
    """
    cosines, sines = rotation[:, first : first + x.shape[2]]
    return torch.addcmul(x * cosines, x.roll(x.shape[3] // 2, dims=3), sines)
