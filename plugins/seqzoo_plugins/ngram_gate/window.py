"""The symbols that followed each context in the latest tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo_plugins.ngram_gate.contexts import ABSENT
from seqzoo_plugins.ngram_gate.ranges import places_of

__all__ = ["add_window_counts"]

_MAX_PLACES = 256
_MAX_AT_ONCE = 3  # tokens in one int64 with the row: enough for a vocabulary of 500,000


def add_window_counts(
    total: Float[Tensor, "N K V"],
    history: Int[Tensor, "B W"],
    tokens: Int[Tensor, "B T"],
    orders: Sequence[int],
) -> None:
    """Add to `total` (N = B * T) how often each symbol followed a context in the latest W tokens.

    A context of each of K orders ends at each of `tokens`. Counted are the symbols after earlier
    occurrences of the context in the same row, inside the W tokens before the context's last token.
    If its last three tokens (or fewer, for a shorter first order) occur at more than 256 places,
    only the latest 256 are used: prose has tens of them, but one repeated byte would have W.
    history: the W tokens before `tokens`, ABSENT before the start of the text.
    """
    W, T = history.shape[1], tokens.shape[1]
    L = W + T
    text = torch.cat([history, tokens], dim=1)  # (B, L)
    matched = min(orders[0], _MAX_AT_ONCE)
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
    end. The later place is among the last `queries` of its row; the earlier ones are the latest.
    """
    B, L = text.shape
    places = torch.arange(B * L, device=text.device)
    # The tokens that end at each place, and the row, as one number.
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
    # In a run of equal numbers the places ascend, so the partners of a place are before it.
    starts_run = torch.ones_like(number, dtype=torch.bool)
    starts_run[1:] = number[1:] != number[:-1]
    run = starts_run.cumsum(0)
    ordered = run * (2 * B * L) + places
    later = (places % L >= L - queries).nonzero().squeeze(1)
    first = torch.searchsorted(
        ordered, run[later] * (2 * B * L) + (places[later] - span).clamp_(min=0)
    )
    first = torch.maximum(first, later - _MAX_PLACES)
    sizes = later - first
    return places[places_of(first, sizes)], places[later.repeat_interleave(sizes)]
