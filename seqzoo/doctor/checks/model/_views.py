"""A view that is taken for a transpose: rows and time are mixed in a pattern of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seqzoo.doctor.checks.model._passes import logits_of, rounding, spread
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.evidence.one_size import OfOneSize

__all__ = ["advice_of_views"]

_Reached = Callable[[int, int, Tensor, int, int], Tensor]


def advice_of_views(network: Network, tokens: Tensor) -> str:
    """Where to write a transpose instead of a view, if that is how rows are mixed; else "".

    tokens: (B, T), random.
    """
    only = network.forward.rows if isinstance(network.forward, OfOneSize) else None
    tokens = tokens.repeat(-(-(only or 1) // len(tokens)), 1)[: only or len(tokens)]
    tokens = tokens[:, : network.only_length]
    B, T = tokens.shape
    if T < 4 or B < 2:
        return ""
    usual = logits_of(network, [tokens])
    limit = rounding(network) * spread(usual)
    flat = torch.arange(B * T)
    probes = [(0, 1), (1, T // 2), (B - 1, 0)]
    changed = []
    for row, time in probes:
        others = tokens.clone()
        others[row, time] = tokens.max() + tokens.min() - tokens[row, time]
        if int(others[row, time]) == int(tokens[row, time]):
            others[row, time] = tokens.max()
        changed.append(((logits_of(network, [others]) - usual).abs().amax(-1) > limit).flatten())
    # In its own row nothing is mixed; in its own column alone the model simply reads time first.
    in_rows = any(
        bool((found & (flat // T != row)).any())
        for found, (row, _) in zip(changed, probes, strict=True)
    )
    in_columns = any(
        bool((found & (flat % T != time)).any())
        for found, (_, time) in zip(changed, probes, strict=True)
    )
    if not (in_rows and in_columns and all(bool(each.any()) for each in changed)):
        return ""
    for reached, remedy in _MIXED:
        expected = [reached(row, time, flat, B, T) for row, time in probes]
        pairs = list(zip(changed, expected, strict=True))
        if all(bool((~found | possible).all()) for found, possible in pairs):
            return remedy
    return ""


def _viewed_twice(row: int, time: int, flat: Tensor, B: int, T: int) -> Tensor:
    """x.view(T, B), and a view back."""
    place = row * T + time
    return (flat % B == place % B) & (flat // B >= place // B)


def _viewed_before(row: int, time: int, flat: Tensor, B: int, T: int) -> Tensor:
    """x.view(T, B), and a transpose back."""
    place = row * T + time
    return (flat // T == place % B) & (flat % T >= place // B)


def _viewed_after(row: int, time: int, flat: Tensor, B: int, T: int) -> Tensor:
    """A transpose, and out.view(B, T, V)."""
    return (flat % B == row) & (flat // B >= time)


_KEEPS = "view and reshape keep the order of the numbers in memory, and so mix rows with time"
_MIXED: tuple[tuple[_Reached, str], ...] = (
    (
        _viewed_before,
        "The model turns (B, T) into (T, B) with view or reshape: write transpose(0, 1) there. "
        f"{_KEEPS}.",
    ),
    (
        _viewed_after,
        "The model turns its output (T, B, V) into (B, T, V) with view or reshape: write "
        f"transpose(0, 1) there. {_KEEPS}.",
    ),
    (
        _viewed_twice,
        "The model turns (B, T) into (T, B) with view or reshape, and back: write transpose(0, 1) "
        f"in both places, or give the layer batch_first=True and leave both out. {_KEEPS}.",
    ),
)
