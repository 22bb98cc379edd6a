"""Targets that no input follows: those at which a text ends before its row does."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["are_endings", "without_endings"]


def without_endings(inputs: Tensor, targets: Tensor, *, filled: bool = True) -> Tensor:
    """(B, T) targets with -1 where `are_endings`."""
    return targets.masked_fill(are_endings(inputs, targets, filled=filled), -1)


def are_endings(inputs: Tensor, targets: Tensor, *, filled: bool = True) -> Tensor:
    """(B, T), true for the last token of a text, if it is another token than the input after it.

    That input is padding: its target is negative, or one id, the same in all rows, fills both to
    the row's end, in some rows for two places or more (not if `filled` is false: if it is not known
    which axis is time, repeated tokens look like that).
    """
    ends = torch.cat([inputs[:, -2:], targets[:, -2:]], 1)
    at_ends = ends[(ends == ends[:, :1]).all(1), 0].unique()
    is_filled = targets < 0
    if filled and len(at_ends) == 1:
        is_filled |= (inputs == at_ends) & (targets == at_ends)
    is_rest = is_filled.flip(1).cumprod(1).flip(1).bool()
    follows_nothing = (is_rest | (targets < 0))[:, 1:] & (inputs[:, 1:] != targets[:, :-1])
    found = torch.zeros_like(targets, dtype=torch.bool)
    found[:, :-1] = follows_nothing & (targets[:, :-1] >= 0)
    return found
