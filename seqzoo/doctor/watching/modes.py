"""Which layers of a model behave in another way in training, or read time before batch."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

__all__ = ["has_time_first_layers", "modes_of"]


def modes_of(model: nn.Module) -> str:
    """Their names in plain words, empty if there are none."""
    found = {
        "dropout": any(
            (isinstance(each, _DropoutNd) and each.p > 0)
            or (isinstance(each, nn.RNNBase) and each.dropout > 0)
            or (isinstance(each, nn.MultiheadAttention) and each.dropout > 0)
            for each in model.modules()
        ),
        "batch normalisation": any(isinstance(each, _BatchNorm) for each in model.modules()),
    }
    return " and ".join(name for name, is_there in found.items() if is_there)


def has_time_first_layers(model: nn.Module) -> bool:
    """Whether a recurrent layer of torch reads (T, B), as it does by default."""
    return any(isinstance(each, nn.RNNBase) and not each.batch_first for each in model.modules())
