"""Ids that were stored in too few bits, which begins again at 0 without an error."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["type_that_wraps"]

_SIZES = {256: "uint8", 65_536: "uint16"}
_NEARLY_ALL = 0.9
_CLEARLY_LARGER = 1.5


def type_that_wraps(ids: Tensor, vocab_size: int) -> str:
    """The type of which `ids` use all values and no other; "" if there is none.

    Nine in ten of its values occur, the largest among them, although the vocabulary is half as
    large again. Text in UTF-8 has no byte 255, so its bytes do not look like that.
    """
    known = torch.unique(ids)
    size = int(known[-1]) + 1 if len(known) else 0
    if size not in _SIZES or vocab_size < _CLEARLY_LARGER * size:
        return ""
    return _SIZES[size] if len(known) >= _NEARLY_ALL * size else ""
