"""What followed each context in the latest tokens: the model's memory of the text itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo_plugins.ngram_lstm.contexts import ABSENT
from seqzoo_plugins.ngram_lstm.stretches import places_of

__all__ = ["add_window_counts"]

_MOST_PLACES = 256
_MOST_AT_ONCE = 3  # tokens in one int64, beside the row: any vocabulary of up to 500,000


def add_window_counts(
    total: Float[Tensor, "N K V"],
    history: Int[Tensor, "B W"],
    tokens: Int[Tensor, "B T"],
    orders: Sequence[int],
) -> None:
    """Add to `total` (N = B * T) how often each symbol followed a context in the latest W tokens.

    A context of each of K orders ends at each of `tokens`; counted is what followed where the same
    tokens stood earlier in the same row, all of them among the W tokens before the context's last.
    Where its last three tokens (or fewer, as the first order has) stood at more than 256 places,
    the latest 256 are looked at: prose has tens of them, and one byte repeated would have W.
    history: the W tokens before `tokens`, ABSENT where the text begins.
    """
    W, T = history.shape[1], tokens.shape[1]
    L = W + T
    text = torch.cat([history, tokens], dim=1)  # (B, L)
    matched = min(orders[0], _MOST_AT_ONCE)
    earlier, later = _pairs(text, matched, span=W - (matched - 1), queries=T)
    flat = text.reshape(-1)
    K, V = total.shape[1:]
    for number, order in enumerate(orders):
        if order > matched:
            near = later - earlier <= W - (order - 1)
            earlier, later = earlier[near], later[near]
        for distance in range(matched, order):
            token = flat[later - distance]
            same = (flat[earlier - distance] == token) & (token != ABSENT)
            earlier, later = earlier[same], later[same]
        matched = order
        row = later // L * T + later % L - (L - T)
        at = (row * K + number) * V + flat[earlier + 1]
        total.view(-1).index_add_(0, at, total.new_ones(len(at)))


def _pairs(text: Tensor, order: int, *, span: int, queries: int) -> tuple[Tensor, Tensor]:
    """Pairs of places (b * L + t) of one row, at most `span` apart, where the same `order` tokens
    end, the later one among the last `queries` of its row, the earlier one of its latest.
    """
    B, L = text.shape
    places = torch.arange(B * L, device=text.device)
    # Which tokens end at each place, as one number; rows are apart because they differ in it.
    symbols = int(text.max()) + 1
    number = places // L
    is_whole = places % L >= order - 1
    flat = text.reshape(-1)
    for distance in range(order):
        token = flat.roll(distance)
        number = number * symbols + token
        is_whole &= token != ABSENT
    places = places[is_whole]
    number, by_number = number[is_whole].sort(stable=True)
    places = places[by_number]
    # Within a run of equal numbers places ascend: each later place's partners stand before it.
    starts_run = torch.ones_like(number, dtype=torch.bool)
    starts_run[1:] = number[1:] != number[:-1]
    run = starts_run.cumsum(0)
    ordered = run * (2 * B * L) + places
    later = (places % L >= L - queries).nonzero().squeeze(1)
    first = torch.searchsorted(
        ordered, run[later] * (2 * B * L) + (places[later] - span).clamp_(min=0)
    )
    first = torch.maximum(first, later - _MOST_PLACES)
    sizes = later - first
    return places[places_of(first, sizes)], places[later.repeat_interleave(sizes)]
