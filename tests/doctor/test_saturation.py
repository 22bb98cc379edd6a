"""Gates equal those of a naive loop, and stuck ones are reported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small_networks import (
    Loop,
    Plain,
    check_of,
    network_of,
    outcome,
    trained,
)
from torch import nn

from seqzoo.doctor.checks.memory._gates import activations
from seqzoo.doctor.checks.memory.saturation import share_stuck


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_gates_equal_those_of_a_naive_loop(
    kind: type[nn.LSTM | nn.GRU | nn.RNN], num_layers: int, seeded: None
) -> None:
    module = Plain(kind).double()
    module.rnn = kind(16, 5, num_layers, batch_first=True).double()
    module.head = nn.Linear(5, 128).double()
    inputs = torch.randint(128, (3, 7))
    found = activations(network_of(module), inputs)
    weights = {name: p.detach().numpy() for name, p in module.rnn.named_parameters()}
    x = module.embed(inputs).detach().numpy()
    for layer in range(num_layers):
        w_x, w_h, b_x, b_h = (
            weights[f"{part}_l{layer}"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        expected: dict[str, list[Any]] = {}
        rows = []
        for row in x:
            h, c, outputs = np.zeros(5), np.zeros(5), []
            for step in row:
                a, b = w_x @ step + b_x, w_h @ h + b_h
                if kind is nn.LSTM:
                    i, f, g, o = np.split(a + b, 4)
                    i, f, o = (1 / (1 + np.exp(-v)) for v in (i, f, o))
                    c = f * c + i * np.tanh(g)
                    h = o * np.tanh(c)
                    now = {"input": i, "forget": f, "output": o}
                elif kind is nn.GRU:
                    (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(b, 3)
                    r, z = 1 / (1 + np.exp(-ar - br)), 1 / (1 + np.exp(-az - bz))
                    h = (1 - z) * np.tanh(an + r * bn) + z * h
                    now = {"reset": r, "keep": z}
                else:
                    h = np.tanh(a + b)
                    now = {"tanh": h}
                outputs.append(h)
                for gate, values in now.items():
                    expected.setdefault(gate, []).append(values)
            rows.append(outputs)
        x = np.array(rows)
        for gate, values in expected.items():
            # float64 on both sides: only the order of sums differs.
            np.testing.assert_allclose(found[f"rnn.{layer} {gate}"], np.array(values), atol=1e-12)


def test_cells_and_sigmoids_are_recorded(seeded: None) -> None:
    module = Loop()
    module.add_module("head", nn.Sequential(nn.Linear(24, 128), nn.Sigmoid()))
    found = activations(network_of(module), torch.randint(128, (3, 7)))
    assert {name: tuple(values.shape) for name, values in found.items()} == {
        "cell reset": (21, 24),
        "cell keep": (21, 24),
        "head.1 sigmoid": (21, 128),
    }


def test_forget_gates_near_one_are_memory_and_output_gates_near_zero_are_stuck(
    seeded: None,
) -> None:
    module = Plain()
    with torch.no_grad():
        module.rnn.get_parameter("bias_ih_l0")[24:48] = 50.0
    subject = trained(module, updates=0)
    assert check_of("memory.saturation")(subject).status == "pass"
    with torch.no_grad():
        module.rnn.get_parameter("bias_ih_l0")[72:] = -50.0
    found = check_of("memory.saturation")(subject)
    assert found.status == "fail"
    assert found.numbers["stuck"] == 1.0


def test_gates_that_jump_between_their_ends_are_not_said_to_be_stuck(seeded: None) -> None:
    module = Plain()
    with torch.no_grad():
        module.rnn.get_parameter("weight_ih_l0").mul_(1e4)
    found = check_of("memory.saturation")(trained(module, updates=0))
    assert found.status == "warn"
    assert found.numbers["stuck"] < 0.2 < 0.95 <= found.numbers["saturated"]
    assert "jump from one end to the other" in found.seen
    assert "0%" not in found.seen.replace("100%", "")
    assert "learning rate or a weight decay that is far too large" in found.remedy


def test_a_unit_that_is_almost_always_at_one_end_is_stuck() -> None:
    values = torch.full((1000, 4), 0.5)
    values[:, 0] = 0.001
    values[:, 1] = 0.999
    values[::2, 2], values[1::2, 2] = 0.001, 0.999
    values[:980, 3] = 0.001
    assert share_stuck("x input", values) == 0.5
    assert share_stuck("x forget", values) == 0.25


def _with_forget_bias(bias: float) -> Plain:
    model = Plain()
    with torch.no_grad():
        model.rnn.get_parameter("bias_ih_l0")[24:48] = bias
        model.rnn.get_parameter("bias_hh_l0")[24:48] = 0.0
    return model


@pytest.mark.parametrize("bias", [-10.0, -6.0])
def test_a_forget_gate_that_is_shut_is_named_before_training(bias: float, seeded: None) -> None:
    found = outcome("memory.saturation", _with_forget_bias(bias), quick=True)
    assert found.status == "fail"
    assert "forget gate are shut" in found.seen
    assert "bias_ih[H:2*H]" in found.remedy


@pytest.mark.parametrize("bias", [-1.0, 0.0, 1.0, 10.0])
def test_a_forget_gate_that_keeps_something_is_not(bias: float, seeded: None) -> None:
    assert outcome("memory.saturation", _with_forget_bias(bias), quick=True).status == "pass"


def test_without_training_other_gates_are_not_judged(seeded: None) -> None:
    assert outcome("memory.saturation", Plain(nn.GRU), quick=True).status == "skip"
