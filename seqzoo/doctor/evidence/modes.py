"""Which layers of a model behave in another way in training than in evaluation."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

__all__ = ["has_dropout", "modes_of", "shares_dropped"]


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
    return any(shares_dropped(model).values())


def shares_dropped(model: nn.Module) -> dict[str, float]:
    """The share of values that each layer of torch drops in training, by its name."""
    found: dict[str, float] = {}
    for name, each in model.named_modules():
        if isinstance(each, _DropoutNd):
            found[name] = float(each.p)
        elif isinstance(each, (nn.RNNBase, nn.MultiheadAttention)):
            found[name] = float(each.dropout)
    return found
