"""Which layers of a model behave in another way in training than in evaluation."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

__all__ = ["has_dropout", "modes_of"]


def modes_of(model: nn.Module) -> str:
    """Their names in plain words, empty if there are none."""
    found = {
        "dropout": has_dropout(model),
        "batch normalisation": any(
            isinstance(each, _NormBase) and each.track_running_stats for each in model.modules()
        ),
    }
    return " and ".join(name for name, is_there in found.items() if is_there)


def has_dropout(model: nn.Module) -> bool:
    """Whether a layer of torch drops units in training."""
    return any(
        (isinstance(each, _DropoutNd) and each.p > 0)
        or (isinstance(each, (nn.RNNBase, nn.MultiheadAttention)) and each.dropout > 0)
        for each in model.modules()
    )
