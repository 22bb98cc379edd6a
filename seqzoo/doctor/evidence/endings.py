"""Targets that no input follows: those at which a text ends before its row does."""

from __future__ import annotations

from torch import Tensor

__all__ = ["without_endings"]


def without_endings(inputs: Tensor, targets: Tensor) -> Tensor:
    """(B, T) targets with -1 for the last token of a text, if it is another token than the input
    after it. That input is padding: its target is negative, or one id, the same in all rows, fills
    both to the row's end.
    """
    at_ends = inputs[:, -1][inputs[:, -1] == targets[:, -1]].unique()
    is_filled = targets < 0
    if len(at_ends) == 1:
        is_filled |= (inputs == at_ends) & (targets == at_ends)
    is_rest = is_filled.flip(1).cumprod(1).flip(1).bool()
    follows_nothing = (is_rest | (targets < 0))[:, 1:] & (inputs[:, 1:] != targets[:, :-1])
    kept = targets.clone()
    kept[:, :-1][follows_nothing & (targets[:, :-1] >= 0)] = -1
    return kept
