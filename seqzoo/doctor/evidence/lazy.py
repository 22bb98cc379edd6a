"""Layers that take their sizes from the first text that they read."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from seqzoo.doctor.evidence.network import Forward

__all__ = ["with_sizes"]


def with_sizes(module: nn.Module, forward: Forward) -> nn.Module:
    """The module itself or, if it has lazy layers, a copy that has read a token.

    Raises what its forward raises.
    """
    if not any(
        isinstance(tensor, (UninitializedParameter, UninitializedBuffer))
        for tensor in [*module.parameters(), *module.buffers()]
    ):
        return module
    sized = copy.deepcopy(module)
    with torch.no_grad():
        forward(sized, torch.zeros(2, 8, dtype=torch.int64), None)
    return sized
