"""Which layers of a model read time before batch."""

from __future__ import annotations

from torch import nn

__all__ = ["has_time_first_layers"]


def has_time_first_layers(model: nn.Module) -> bool:
    """Whether a recurrent layer of torch reads (T, B), as it does by default."""
    return any(isinstance(each, nn.RNNBase) and not each.batch_first for each in model.modules())
