"""The simple recurrent network against its equation in NumPy, with both nonlinearities."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch
from naive_stack import assert_equals_naive
from torch.nn import functional as F

from seqzoo import ArchitectureContext
from seqzoo_plugins.recurrent.options import RNNOptions
from seqzoo_plugins.rnn import build

Nonlinearity = Literal["tanh", "relu"]
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
}


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("nonlinearity", FUNCTIONS)
def test_logits_follow_the_equation(nonlinearity: Nonlinearity, num_layers: int) -> None:
    options = RNNOptions(
        hidden_size=6, embedding_size=4, num_layers=num_layers, nonlinearity=nonlinearity
    )
    function = FUNCTIONS[nonlinearity]
    assert_equals_naive(
        build(options, ArchitectureContext(vocab_size=11)),
        lambda x, hidden, W, U, b, c: (function(W @ x + b + U @ hidden + c),),
    )


@pytest.mark.parametrize("nonlinearity", FUNCTIONS)
def test_the_first_loss_is_near_that_of_a_uniform_guess(
    nonlinearity: Nonlinearity,
) -> None:
    torch.manual_seed(0)
    tokens = torch.randint(256, (8, 65))
    logits, _ = build(RNNOptions(nonlinearity=nonlinearity), ArchitectureContext(vocab_size=256))(
        tokens[:, :-1]
    )
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(256), abs=0.6)


def test_relu_units_stay_bounded_over_a_long_stream() -> None:
    torch.manual_seed(0)
    model = build(
        RNNOptions(hidden_size=32, num_layers=2, nonlinearity="relu"),
        ArchitectureContext(vocab_size=256),
    )
    tokens = torch.randint(256, (1, 4000))
    with torch.no_grad():
        early = model(tokens[:, :100])[0].abs().max()
        late = model(tokens)[0][:, -1000:].abs().max()
    assert late < 2 * early
