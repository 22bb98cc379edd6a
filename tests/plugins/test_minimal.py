"""minGRU and minLSTM against a public implementation."""

from __future__ import annotations

import pytest
import torch
from reference_vectors import give_weights, reference
from torch import Tensor

from seqzoo_plugins.mingru.model import MinGRULayer
from seqzoo_plugins.minlstm.model import MinLSTMLayer
from seqzoo_plugins.residual.minimal import MinimalLayer, MinimalMemory
from seqzoo_plugins.residual.options import MinimalOptions

# The public layers have one matrix for all gates, no bias, and no convolution.
LAYERS: dict[str, tuple[type[MinimalLayer], list[str]]] = {
    "mingru": (MinGRULayer, ["candidate", "update"]),
    "minlstm": (MinLSTMLayer, ["candidate", "forget", "input"]),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def layer_with_public_weights(name: str, vectors: dict[str, Tensor]) -> MinimalLayer:
    kind, gates = LAYERS[name]
    options = MinimalOptions(hidden_size=8, expansion=1.5, convolution=1, candidate="positive")
    layer = kind(options)
    weights = {
        "convolution.weight": torch.ones(1, 8),
        "convolution.bias": torch.zeros(8),
        "outputs.weight": vectors["weight.to_out.weight"],
    }
    (name_of_stacked,) = (name for name in vectors if name.startswith("weight.to_hidden_and"))
    stacked = vectors[name_of_stacked].chunk(len(gates))
    for gate, weight in zip(gates, stacked, strict=True):
        weights |= {f"{gate}.weight": weight, f"{gate}.bias": torch.zeros(12)}
    give_weights(layer, weights)
    return layer


@every_layer
@pytest.mark.parametrize("piece", [1, 5, 20])
def test_a_layer_equals_the_public_one(name: str, piece: int) -> None:
    vectors = reference(name)
    layer = layer_with_public_weights(name, vectors)
    state = MinimalMemory(vectors["state.h"].squeeze(1), torch.zeros(2, 0, 8).double())
    outputs = []
    for x in vectors["input.x"].split(piece, dim=1):
        y, state = layer(x, state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, dim=1), vectors["output.y"])
    torch.testing.assert_close(state.hidden, vectors["output.h"][:, -1])


def test_gates_that_underflow_share_the_state_evenly() -> None:
    layer = MinLSTMLayer(MinimalOptions(hidden_size=4))
    for gate in (layer.forget, layer.input):
        torch.nn.init.zeros_(gate.weight)
        torch.nn.init.constant_(gate.bias, -1000.0)
    assert torch.equal(layer.gate(torch.randn(1, 3, 4)), torch.full((1, 3, 4), 0.5))
