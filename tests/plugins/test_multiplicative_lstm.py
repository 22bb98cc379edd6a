"""The multiplicative LSTM against a public implementation, and how it starts."""

from __future__ import annotations

import math

import pytest
import torch
from reference_vectors import give_weights, reference
from torch.nn import functional as F

from seqzoo_plugins.multiplicative_lstm.model import (
    MultiplicativeLSTM,
    MultiplicativeLSTMLayer,
    MultiplicativeLSTMMemory,
)
from seqzoo_plugins.multiplicative_lstm.options import MultiplicativeLSTMOptions


@pytest.mark.parametrize("piece", [1, 5, 13])
def test_a_layer_equals_the_public_one(piece: int) -> None:
    vectors = reference("multiplicative_lstm")
    layer = MultiplicativeLSTMLayer(5, 8, forget_bias=0.0)
    weights = {
        "factor_inputs.weight": vectors["weight.wmx.weight"],
        "factor_hidden.weight": vectors["weight.wmh.weight"],
        "gate_inputs.weight": vectors["weight.wx.weight"],
        "gate_inputs.bias": vectors["weight.wh.bias"],
        "gate_factors.weight": vectors["weight.wh.weight"],
    }
    give_weights(layer, weights)
    state = MultiplicativeLSTMMemory(vectors["state.h"], vectors["state.c"])
    outputs = []
    for x in vectors["input.x"].transpose(0, 1).split(piece):
        y, state = layer(x, state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs).transpose(0, 1), vectors["output.h"])
    torch.testing.assert_close(state.hidden, vectors["final.h"])
    torch.testing.assert_close(state.cell, vectors["final.c"])


def test_an_input_of_zeros_hides_the_hidden_units_from_the_gates() -> None:
    layer = MultiplicativeLSTMLayer(3, 4, forget_bias=1.0)
    cell = torch.randn(2, 4)
    x = torch.zeros(1, 2, 3)
    outputs = [
        layer(x, MultiplicativeLSTMMemory(hidden, cell))[0]
        for hidden in (torch.zeros(2, 4), torch.randn(2, 4))
    ]
    assert torch.equal(*outputs)


@pytest.mark.parametrize("tied", [False, True])
def test_a_new_model_guesses_and_keeps_its_memory(tied: bool) -> None:
    torch.manual_seed(0)
    options = MultiplicativeLSTMOptions(hidden_size=16, tied_embeddings=tied, forget_bias=2.0)
    model = MultiplicativeLSTM(options, vocab_size=64)
    bias = model.layers[0].gate_inputs.bias.detach()
    assert torch.equal(bias, torch.tensor([0.0, 2.0, 0.0, 0.0]).repeat_interleave(16))
    tokens = torch.randint(64, (4, 33))
    logits, _ = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert abs(float(loss.detach()) - math.log(64)) < 0.3
