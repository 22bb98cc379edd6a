"""The vectors of tests/references: what public implementations computed."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

__all__ = ["give_weights", "reference"]

_FOLDER = Path(__file__).parents[1] / "references"


def reference(name: str) -> dict[str, Tensor]:
    """The tensors of one file, by names such as "input.x"."""
    return load_file(_FOLDER / f"{name}.safetensors")


def give_weights(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Set every parameter, each to a tensor of its shape; the module is in float64 afterwards."""
    module.double()
    parameters = dict(module.named_parameters())
    assert parameters.keys() == weights.keys()
    with torch.no_grad():
        for name, parameter in parameters.items():
            assert parameter.shape == weights[name].shape, name
            parameter.copy_(weights[name])
