"""torch's fused layers under autocast, where this processor may lack a form of them."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

__all__ = ["autocast_that_runs", "fused_layer_runs"]


def autocast_that_runs(layers: nn.RNNBase) -> AbstractContextManager[object]:
    """A context for a call of the layers: autocast as it is, or off where they cannot run in it."""
    if (
        not torch.is_autocast_enabled("cpu")
        or layers.all_weights[0][0].device.type != "cpu"
        or fused_layer_runs(layers.mode, torch.get_autocast_dtype("cpu"))
    ):
        return nullcontext()
    return torch.autocast("cpu", enabled=False)


@functools.cache
def fused_layer_runs(mode: str, dtype: torch.dtype) -> bool:
    """Whether a small layer runs on this CPU under autocast to that type, tried once.

    oneDNN has a bfloat16 LSTM on some processors only, and its own check lets others through.
    mode: kind of layer, as torch names it (nn.RNNBase.mode).
    """
    kind = {"LSTM": nn.LSTM, "GRU": nn.GRU}.get(mode, nn.RNN)
    try:
        with torch.inference_mode(False), torch.autocast("cpu", dtype=dtype):
            # Made on "meta", where no random number is drawn: one drawn here would change the run.
            layer = kind(1, 1, device="meta").to_empty(device="cpu")
            layer.mode = mode
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
            for graph in (True, False):
                with torch.set_grad_enabled(graph):
                    layer(torch.zeros(1, 1, 1))
    except RuntimeError:
        return False
    return True


# torch.compile then takes the answer and does not trace the attempt. This is all that
# torch.compiler.assume_constant_result does, but that loads the compiler: as long as torch itself.
fused_layer_runs._dynamo_marked_constant = True  # type: ignore[attr-defined]
