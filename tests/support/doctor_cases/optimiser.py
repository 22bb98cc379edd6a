"""Optimizers with which a sound model does not learn. Only the short training shows it."""

from __future__ import annotations

import torch
from torch import nn

from doctor_cases.case import Case
from doctor_cases.makers import carried, windowed
from doctor_cases.models import Attention, Recurrent

__all__ = ["CASES"]

CASES = (
    Case(
        name="a learning rate of 0.5 for Adam",
        source="github OpenNMT/OpenNMT-tf#744, karpathy/char-rnn#169",
        cause="Each weight moves by half a unit in each update.",
        named_by=("optimisation.learning_rate",),
        words=(r"too high|lower|smaller",),
        make=carried(Recurrent, optimizer=lambda p: torch.optim.Adam(p, lr=0.5)),
        proof=lambda arguments: rate_of(arguments) == 0.5,
        is_full=True,
    ),
    Case(
        name="a learning rate of 20 without clipping",
        source="github pytorch/examples#223",
        cause="A rate for SGD with clipped gradients, used for a ReLU network without clipping.",
        named_by=("optimisation.learning_rate", "optimisation.gradient_norm"),
        words=(r"too high|lower|smaller|clip|diverge",),
        make=carried(
            lambda V, H: Recurrent(V, H, cell=nn.RNN, nonlinearity="relu"),
            optimizer=lambda p: torch.optim.SGD(p, lr=20.0),
        ),
        proof=lambda arguments: rate_of(arguments) == 20.0,
        is_full=True,
    ),
    Case(
        name="a learning rate that is a thousand times too low",
        source="github zhongkaifu/RNNSharp#6, keras-team/keras#5264",
        cause="Each weight moves by a millionth in each update.",
        named_by=("optimisation.learning_rate", "optimisation.update_ratio"),
        words=(r"raise.*learning rate|learning rate.*too low",),
        make=windowed(Attention, optimizer=lambda p: torch.optim.Adam(p, lr=1e-6)),
        proof=lambda arguments: rate_of(arguments) == 1e-6,
        is_full=True,
    ),
)


def rate_of(arguments: object) -> float:
    """The learning rate of an optimizer of one weight."""
    assert isinstance(arguments, dict)
    optimizer = arguments["optimizer"]([nn.Parameter(torch.zeros(1))])
    return float(optimizer.param_groups[0]["lr"])
