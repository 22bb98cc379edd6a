"""Attention inside a window, with rotary positions and a rolling cache of keys and values.

Each token attends to itself and the W - 1 before it. W - 1 keys and values therefore continue a
stream exactly. Keys are cached before rotation and rotated by their distance from the start of the
piece, so positions do not grow and no precision is lost.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F

from seqzoo.ops.shapes import expect_shapes

__all__ = ["window_attention", "window_masks"]

_ROTARY_BASE = 10_000.0


def window_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    masks: list[Tensor],
    *,
    window: int,
    rotary_size: int | None = None,
) -> Tensor:
    """Outputs (B, heads, T, head_size) of softmax(q . k / sqrt(head_size)) v inside the window.

    queries: (B, heads, T, head_size), head_size even.
    keys, values: (B, key_heads, W - 1 + T, head_size): the cached ones, then those of the T tokens.
    Each key head serves heads / key_heads query heads in a row (Ainslie et al. 2023,
    arXiv:2305.13245).
    masks: from `window_masks`.
    rotary_size: elements of a head that are rotated, an even number from 2 on; None for all. Pairs
    are (i, i + head_size / 2), of which the first rotary_size / 2 are rotated.

    W queries at a time, each piece with the 2 W - 1 keys that it can attend to, so that time and
    memory grow with T W and not with T². Positions are rotated in float32 at least. Raises
    ValueError for a wrong shape or an odd size.
    """
    rotary_size = queries.shape[-1] if rotary_size is None else rotary_size
    _check_sizes(queries, keys, values, window=window, rotary_size=rotary_size)
    T, head_size = queries.shape[2:]
    if T == 0:
        return queries
    rotation = _rotation(
        2 * window - 1,
        head_size,
        rotary_size,
        queries.device,
        torch.promote_types(queries.dtype, torch.float32),
    )
    pieces = []
    for start, mask in zip(range(0, T, window), masks, strict=True):
        near = slice(start, start + mask.shape[-1])
        pieces.append(
            F.scaled_dot_product_attention(
                _rotate(queries[:, :, start : start + window], rotation, window - 1),
                _rotate(keys[:, :, near], rotation, 0),
                values[:, :, near],
                attn_mask=mask,
                enable_gqa=keys.shape[1] != queries.shape[1],
            )
        )
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)


def window_masks(num_tokens: int, length: Tensor, window: int) -> list[Tensor]:
    """The keys of each query, one mask for each W queries: (n, n + C), the first (B, 1, n, n + C).

    C = W - 1 cached tokens. Query i is at key i + C and attends to keys i ... i + C, except empty
    places of the cache. length: (B,) filled places of the cache; the newest is last.
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


def _check_sizes(
    queries: Tensor, keys: Tensor, values: Tensor, *, window: int, rotary_size: int
) -> None:
    expect_shapes(
        "window_attention",
        queries=(queries, "B G T D"),
        keys=(keys, "B H K D"),
        values=(values, "B H K D"),
    )
    T, head_size = queries.shape[2:]
    if keys.shape[2] != window - 1 + T:
        raise ValueError(
            f"window_attention: {keys.shape[2]} keys, expected {window - 1 + T}: "
            f"window - 1 = {window - 1} cached ones and {T} of the queries."
        )
    if head_size % 2 or rotary_size % 2 or not 2 <= rotary_size <= head_size:
        raise ValueError(
            f"window_attention: head_size is {head_size} and rotary_size {rotary_size}, expected "
            f"even numbers with rotary_size from 2 to head_size."
        )


@functools.lru_cache(maxsize=8)
def _rotation(
    num_positions: int,
    head_size: int,
    rotary_size: int,
    device: torch.device,
    dtype: torch.dtype,
) -> Tensor:
    """Cosines, and sines signed for `_rotate`, of position times base^(-2 i / rotary_size):
    (2, positions, head_size).

    Computed in float64 and then rounded: in float32 the angles would have errors of 1e-4.
    """
    with torch.inference_mode(False):  # training also uses what evaluation creates first
        frequencies = torch.zeros(head_size // 2, dtype=torch.float64)
        pairs = torch.arange(0, 1, 2 / rotary_size, dtype=torch.float64)
        frequencies[: len(pairs)] = _ROTARY_BASE**-pairs
        angles = torch.outer(torch.arange(num_positions, dtype=torch.float64), frequencies)
        cosines, sines = angles.cos(), angles.sin()
        table = torch.stack([torch.cat([cosines, cosines], 1), torch.cat([-sines, sines], 1)])
        return table.to(dtype).to(device)  # in this order: mps has no float64


def _rotate(x: Tensor, rotation: Tensor, first: int) -> Tensor:
    """Rotate each pair of x by its angle at positions first, first + 1, ... (Su et al. 2021,
    arXiv:2104.09864, eq. 34).

    A pair is (i, i + head_size / 2), so that a roll swaps the two.
    """
    cosines, sines = rotation[:, first : first + x.shape[2]]
    return torch.addcmul(x * cosines, x.roll(x.shape[3] // 2, dims=3), sines).to(x.dtype)
