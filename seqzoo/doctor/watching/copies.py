"""A copy of a model before its training, if there is room for one."""

from __future__ import annotations

from torch import nn

from seqzoo.doctor.evidence.network import Network

__all__ = ["copy_of"]

_MOST_VALUES = 200_000_000


def copy_of(model: nn.Module) -> nn.Module | None:
    """An independent copy; None if the model is large or cannot be copied."""
    try:
        if sum(each.numel() for each in model.parameters()) > _MOST_VALUES:
            return None
        return Network(model, lambda: model).copied().module
    except Exception:  # such as a lazy layer or a lock inside; checks then say what is missing
        return None
