"""Mamba-2 against its authors' code, and what its initialisation promises."""

from __future__ import annotations

import math

import pytest
import torch
from reference_vectors import give_weights, reference
from torch import Tensor
from torch.nn import functional as F

from seqzoo.ops import matrix_scan
from seqzoo_plugins.mamba2.model import Mamba2, Mamba2Layer, Mamba2Memory
from seqzoo_plugins.mamba2.options import Mamba2Options


def layer_with_public_weights(vectors: dict[str, Tensor]) -> Mamba2Layer:
    layer = Mamba2Layer(Mamba2Options(hidden_size=8, num_heads=2, state_size=4))
    weights = {
        "inputs.weight": vectors["weight.in_proj.weight"],
        "convolution.weight": vectors["weight.conv1d.weight"].squeeze(1).T,
        "convolution.bias": vectors["weight.conv1d.bias"],
        "decay.A_log": vectors["weight.A_log"],
        "decay.dt_bias": vectors["weight.dt_bias"],
        "skip": vectors["weight.D"],
        "norm.weight": vectors["weight.norm.weight"],
        "outputs.weight": vectors["weight.out_proj.weight"],
    }
    give_weights(layer, weights)
    return layer


def test_the_matrix_scan_is_the_public_state_space() -> None:
    vectors = reference("ssd")
    # The public state is (P, N), and time comes before the heads.
    queries, keys, values, log_decay = (
        vectors[f"input.{name}"].transpose(1, 2) for name in ("C", "B", "X", "A")
    )
    found, state = matrix_scan(queries, keys, values, log_decay, vectors["state.h"].mT)
    torch.testing.assert_close(found.transpose(1, 2), vectors["output.Y"])
    torch.testing.assert_close(state.mT, vectors["final.h"])


@pytest.mark.parametrize("piece", [1, 5, 13])
def test_a_layer_equals_the_public_one(piece: int) -> None:
    vectors = reference("mamba2_block")
    layer = layer_with_public_weights(vectors)
    # The public convolution keeps one input more, which it drops before it reads.
    state = Mamba2Memory(vectors["state.ssm"].mT, vectors["state.conv"][..., 1:].mT)
    outputs = []
    for x in vectors["input.u"].split(piece, dim=1):
        y, state = layer(x, state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, dim=1), vectors["output.y"])
    torch.testing.assert_close(state.states.mT, vectors["final.ssm"])
    torch.testing.assert_close(state.inputs.mT, vectors["final.conv"][..., 1:])


def test_the_initial_state_is_that_of_the_public_layer() -> None:
    vectors = reference("mamba2_block")
    layer = layer_with_public_weights(vectors)
    y, _ = layer(vectors["input.u"], layer.initial_state(2))
    torch.testing.assert_close(y, vectors["output.y_from_zero_state"])


def test_rates_and_steps_start_in_the_ranges_of_the_authors() -> None:
    torch.manual_seed(0)
    layer = Mamba2Layer(Mamba2Options(hidden_size=64, num_heads=64, state_size=2))
    rates, steps = layer.decay.A_log.exp(), F.softplus(layer.decay.dt_bias)
    assert 1.0 <= rates.min().item() < 4.0
    assert 13.0 < rates.max().item() <= 16.0
    assert 0.001 <= steps.min().item() < 0.002
    assert 0.05 < steps.max().item() <= 0.1
    assert torch.equal(layer.skip, torch.ones(64))


def test_what_is_added_to_the_stream_starts_divided_by_the_root_of_the_additions() -> None:
    for mlp_ratio, additions in ((0.0, 3), (2.0, 6)):
        torch.manual_seed(0)
        options = Mamba2Options(hidden_size=64, num_layers=3, mlp_ratio=mlp_ratio)
        model = Mamba2(options, vocab_size=11)
        layers = [block.mixer.outputs for block in model.blocks]
        layers += [block.mlp.outputs for block in model.blocks if block.mlp is not None]
        assert len(layers) == additions
        for layer in layers:
            bound = layer.in_features**-0.5 / math.sqrt(additions)  # of a uniform distribution
            assert 0.99 * bound < float(layer.weight.detach().abs().max()) <= bound * (1 + 1e-6)


def test_the_first_loss_is_that_of_a_uniform_guess() -> None:
    torch.manual_seed(0)
    model = Mamba2(Mamba2Options(), vocab_size=256)
    tokens = torch.randint(256, (2, 33))
    logits, _ = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(256), abs=0.1)


def test_decays_and_skips_do_not_decay_and_are_no_matrices() -> None:
    model = Mamba2(Mamba2Options(mlp_ratio=1.0), vocab_size=11)
    roles = model.parameter_roles()
    rates = [role for name, role in roles.items() if name.endswith(("A_log", "dt_bias", "skip"))]
    assert len(rates) == 3 * 2
    assert not any(role.decay or role.use == "matrix" for role in rates)
    matrices = {name.split(".", 2)[2] for name, role in roles.items() if role.use == "matrix"}
    assert matrices == {
        "mixer.inputs.weight",
        "mixer.outputs.weight",
        "mlp.gates.weight",
        "mlp.inputs.weight",
        "mlp.outputs.weight",
    }


def test_heads_that_do_not_divide_the_channels_are_refused_with_a_size_that_fits() -> None:
    with pytest.raises(ValueError, match="use hidden_size 12"):
        Mamba2Options(hidden_size=10, num_heads=8)
    Mamba2Options(hidden_size=12, num_heads=8)
