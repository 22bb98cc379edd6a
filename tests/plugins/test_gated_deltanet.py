"""Gated DeltaNet against a public implementation, and what its initialisation promises."""

from __future__ import annotations

import math

import pytest
import torch
from reference_vectors import give_weights, reference
from torch import Tensor
from torch.nn import functional as F

from seqzoo.ops import Removal, matrix_scan
from seqzoo_plugins.gated_deltanet.model import (
    GatedDeltaNet,
    GatedDeltaNetLayer,
    GatedDeltaNetMemory,
)
from seqzoo_plugins.gated_deltanet.options import GatedDeltaNetOptions


def layer_with_public_weights(vectors: dict[str, Tensor]) -> GatedDeltaNetLayer:
    options = GatedDeltaNetOptions(hidden_size=8, num_heads=2, key_size=4, value_size=5)
    layer = GatedDeltaNetLayer(options)

    def stacked(names: str, *, of: str) -> Tensor:
        return torch.cat([vectors[f"weight.{name}_{of}.weight"] for name in names])

    weights = {
        "inputs.weight": stacked("qkvgba", of="proj"),
        "convolution.weight": stacked("qkv", of="conv1d").squeeze(1).T,
        "decay.A_log": vectors["weight.A_log"],
        "decay.dt_bias": vectors["weight.dt_bias"],
        "norm.weight": vectors["weight.o_norm.weight"],
        "outputs.weight": vectors["weight.o_proj.weight"],
    }
    give_weights(layer, weights)
    return layer


def memory(vectors: dict[str, Tensor], name: str) -> GatedDeltaNetMemory:
    """The public states; their convolutions keep one input more, which is dropped unread."""
    inputs = torch.cat([vectors[f"{name}.conv_{part}"] for part in "qkv"], dim=1)
    return GatedDeltaNetMemory(vectors[f"{name}.recurrent"].mT, inputs[..., 1:].mT)


def test_the_matrix_scan_is_the_public_gated_delta_rule() -> None:
    vectors = reference("gated_delta_rule")
    q, k, v, beta, log_decay = (
        vectors[f"input.{name}"].transpose(1, 2) for name in ("q", "k", "v", "beta", "g")
    )
    beta = beta.unsqueeze(-1)
    removal = Removal(read=k, write=-log_decay.exp().unsqueeze(-1) * beta * k)
    found, state = matrix_scan(q / 2, k, beta * v, log_decay, vectors["state.h"], removal)
    torch.testing.assert_close(found.transpose(1, 2), vectors["output.o"])
    torch.testing.assert_close(state, vectors["final.h"])


@pytest.mark.parametrize("piece", [1, 5, 13])
def test_a_layer_equals_the_public_one(piece: int) -> None:
    vectors = reference("gated_deltanet_layer")
    layer = layer_with_public_weights(vectors)
    state, outputs = memory(vectors, "state"), []
    for x in vectors["input.x"].split(piece, dim=1):
        y, state = layer(x, state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, dim=1), vectors["output.y"])
    for found, expected in zip(state, memory(vectors, "final"), strict=True):
        torch.testing.assert_close(found, expected)


def test_with_full_strength_and_no_decay_the_state_returns_the_last_value_of_a_key() -> None:
    """What the delta rule is for: a sum of outer products would return both values."""
    key = F.normalize(torch.ones(1, 1, 1, 4).double(), dim=-1)
    keys = key.expand(1, 1, 2, 4)
    values = torch.tensor([[[[1.0, 2.0], [5.0, -3.0]]]]).double()
    removal = Removal(read=-keys, write=keys)
    _, state = matrix_scan(keys, keys, values, torch.zeros(1, 1, 2).double(), None, removal)
    torch.testing.assert_close((key @ state)[0, 0, 0], values[0, 0, 1])


def test_rates_steps_and_strengths_start_in_the_ranges_of_the_public_layer() -> None:
    torch.manual_seed(0)
    layer = GatedDeltaNetLayer(GatedDeltaNetOptions(num_heads=64, key_size=2, value_size=2))
    rates, steps = layer.decay.A_log.exp(), F.softplus(layer.decay.dt_bias)
    assert 0.0 < rates.min().item() < 1.0
    assert 13.0 < rates.max().item() <= 16.0
    assert 0.001 <= steps.min().item() < 0.002
    assert 0.05 < steps.max().item() <= 0.1


def test_the_first_loss_is_that_of_a_uniform_guess() -> None:
    torch.manual_seed(0)
    model = GatedDeltaNet(GatedDeltaNetOptions(), vocab_size=256)
    tokens = torch.randint(256, (2, 33))
    logits, _ = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(256), abs=0.1)


def test_decays_do_not_decay_and_are_no_matrices() -> None:
    roles = GatedDeltaNet(GatedDeltaNetOptions(), vocab_size=11).parameter_roles()
    rates = [role for name, role in roles.items() if ".decay." in name]
    assert len(rates) == 2 * 2
    assert not any(role.decay or role.use == "matrix" for role in rates)
    matrices = {name.split(".", 2)[2] for name, role in roles.items() if role.use == "matrix"}
    assert matrices == {
        "mixer.inputs.weight",
        "mixer.outputs.weight",
        "mlp.gates.weight",
        "mlp.inputs.weight",
        "mlp.outputs.weight",
    }
