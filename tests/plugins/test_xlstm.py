"""xLSTM against a public implementation, and its two recurrences against their equations."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from reference_vectors import give_weights, reference
from torch import Tensor
from torch.nn import functional as F

from seqzoo_plugins.residual.feed_forward import GatedFeedForward
from seqzoo_plugins.residual.stack import Block
from seqzoo_plugins.xlstm.mlstm import MLSTMLayer, MLSTMMemory, mlstm, running_maximum
from seqzoo_plugins.xlstm.model import XLSTM
from seqzoo_plugins.xlstm.options import XLSTMOptions
from seqzoo_plugins.xlstm.slstm import SLSTMLayer, SLSTMMemory
from seqzoo_plugins.xlstm.slstm_loop import slstm

every_piece = pytest.mark.parametrize("piece", [1, 5, 13])
OPTIONS = XLSTMOptions(hidden_size=8, num_heads=2)


def run(block: Block, state: Any, x: Tensor, piece: int) -> tuple[Tensor, Any]:
    outputs = []
    for part in x.split(piece, dim=1):
        y, state = block(part, state)
        outputs.append(y)
    return torch.cat(outputs, dim=1), state


def convolution(vectors: dict[str, Tensor]) -> dict[str, Tensor]:
    public = "weight.xlstm.conv1d.conv."
    return {
        "mixer_norm.weight": 1 + vectors["weight.xlstm_norm.weight"],
        "mixer.convolution.weight": vectors[public + "weight"].squeeze(1).T,
        "mixer.convolution.bias": vectors[public + "bias"],
    }


@every_piece
def test_an_mlstm_block_equals_the_public_one(piece: int) -> None:
    vectors = reference("mlstm_block")
    public = {
        name.removeprefix("weight.xlstm."): tensor
        for name, tensor in vectors.items()
        if name.startswith("weight.xlstm.")
    }
    gates = ("mlstm_cell.igate", "mlstm_cell.fgate")
    block = Block(MLSTMLayer(OPTIONS), OPTIONS, None)
    weights = convolution(vectors) | {
        "mixer.inputs.weight": public["proj_up.weight"],
        "mixer.query.weight": public["q_proj.weight"],
        "mixer.key.weight": public["k_proj.weight"],
        "mixer.value.weight": public["v_proj.weight"],
        "mixer.gates.weight": torch.cat([public[f"{gate}.weight"] for gate in gates]),
        "mixer.gates.bias": torch.cat([public[f"{gate}.bias"] for gate in gates]),
        "mixer.skip": public["learnable_skip"],
        "mixer.norm.weight": 1 + public["mlstm_cell.outnorm.weight"],
        "mixer.outputs.weight": public["proj_down.weight"],
    }
    give_weights(block, weights)

    def memory(when: str) -> MLSTMMemory:
        return MLSTMMemory(
            torch.cat([vectors[f"{when}.c"], vectors[f"{when}.n"]], dim=-1),
            vectors[f"{when}.m"].flatten(1),
            vectors[f"{when}.conv"][:, 1:],
        )

    y, state = run(block, memory("state"), vectors["input.x"], piece)
    torch.testing.assert_close(y, vectors["output.y"])
    torch.testing.assert_close(state, memory("final"))
    y, _ = run(block, block.initial_state(2), vectors["input.x"], piece)
    torch.testing.assert_close(y, vectors["output.y_from_zero_state"])


@every_piece
def test_an_slstm_block_equals_the_public_one(piece: int) -> None:
    vectors = reference("slstm_block")
    public = {
        name.removeprefix("weight."): tensor
        for name, tensor in vectors.items()
        if name.startswith("weight.")
    }
    block = Block(
        SLSTMLayer(OPTIONS, layer=1), OPTIONS, lambda D, _: GatedFeedForward(D, 12, F.gelu)
    )
    gates, inputs = public["ffn.proj_up.weight"].chunk(2)
    weights = convolution(vectors) | {
        # The public code has the names of these two exchanged.
        "mixer.input_gate.weight": public["xlstm.fgate.weight"],
        "mixer.forget_gate.weight": public["xlstm.igate.weight"],
        "mixer.candidate.weight": public["xlstm.zgate.weight"],
        "mixer.output_gate.weight": public["xlstm.ogate.weight"],
        "mixer.recurrent": public["xlstm.slstm_cell._recurrent_kernel_"]
        .unflatten(1, (4, 4))
        .transpose(0, 1),
        "mixer.bias": public["xlstm.slstm_cell._bias_"].view(4, 2, 4),
        "mixer.norm.weight": 1 + public["xlstm.group_norm.weight"],
        "mlp_norm.weight": 1 + public["ffn_norm.weight"],
        "mlp.gates.weight": gates,
        "mlp.inputs.weight": inputs,
        "mlp.outputs.weight": public["ffn.proj_down.weight"],
    }
    give_weights(block, weights)

    def memory(when: str) -> SLSTMMemory:
        return SLSTMMemory._make([*vectors[f"{when}.slstm"], vectors[f"{when}.conv"][:, 1:]])

    y, state = run(block, memory("state"), vectors["input.x"], piece)
    torch.testing.assert_close(y, vectors["output.y"])
    torch.testing.assert_close(state, memory("final"))
    y, _ = run(block, block.initial_state(2), vectors["input.x"], piece)
    torch.testing.assert_close(y, vectors["output.y_from_zero_state"])


def test_the_mlstm_equals_the_public_one() -> None:
    vectors = reference("mlstm")
    gates = (vectors[f"input.{gate}gate_preact"].squeeze(-1) for gate in "if")
    h, matrix, maximum = mlstm(
        *(vectors[f"input.{name}"] for name in "qkv"),
        *gates,
        matrix=torch.cat([vectors["state.c"], vectors["state.n"]], dim=-1),
        maximum=vectors["state.m"].flatten(1),
    )
    torch.testing.assert_close(h, vectors["output.h"])
    torch.testing.assert_close(matrix, torch.cat([vectors["final.c"], vectors["final.n"]], dim=-1))
    torch.testing.assert_close(maximum, vectors["final.m"].flatten(1))


def test_the_slstm_equals_the_public_one() -> None:
    vectors = reference("slstm")

    def by_head(units: Tensor) -> Tensor:
        return units.unflatten(-1, (2, 4)).transpose(-2, -3)  # (..., heads, B, N)

    gates = (vectors["input.Wx"] + vectors["weight.b"]).unflatten(-1, (4, 2, 4))
    hiddens, *after = slstm(
        gates.permute(0, 3, 1, 2, 4).flatten(3),
        vectors["weight.R"].mT,
        *by_head(vectors["state.states"]),
    )
    torch.testing.assert_close(hiddens, by_head(vectors["output.y"]))
    torch.testing.assert_close(torch.stack([hiddens[-1], *after]), by_head(vectors["final.states"]))


def test_the_gradients_of_the_slstm_equal_those_of_its_equation() -> None:
    torch.manual_seed(0)
    heads, B, N, T = 2, 3, 4, 7
    gates, recurrent = torch.randn(T, heads, B, 4 * N), torch.randn(heads, N, 4 * N)
    hidden, cell, maximum = torch.randn(3, heads, B, N)
    inputs = (gates, recurrent, hidden, cell, torch.rand(heads, B, N) + 1, maximum)
    weights = torch.randn(T, heads, B, N, dtype=torch.float64)

    def gradients(pieces: int) -> tuple[Tensor, ...]:
        leaves = [each.double().requires_grad_() for each in inputs]
        gates, recurrent, *memories = leaves
        hiddens: list[Tensor] = []
        for piece in gates.split(pieces):
            h, *after = slstm(piece, recurrent, *memories)
            memories = [h[-1], *after]
            hiddens.append(h)
        loss = (weights * torch.cat(hiddens)).sum() + memories[1].sum() + memories[2].sin().sum()
        return torch.autograd.grad(loss, leaves[:5])

    # One step at a time is left to autograd.
    for of_all, of_one in zip(gradients(T), gradients(1), strict=True):
        torch.testing.assert_close(of_all, of_one)


def test_the_maximum_changes_no_output_and_needs_no_gradient() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 2, 9, 4, dtype=torch.float64)
    gates = (3 * torch.randn(2, 1, 2, 9, dtype=torch.float64)).requires_grad_()
    empty = torch.zeros(1, 2, 4, 5, dtype=torch.float64)
    weights = torch.randn(1, 2, 9, 4, dtype=torch.float64)

    def naive(input_gate: Tensor, forget_gate: Tensor) -> Tensor:
        """The equation with no maximum at all."""
        C = empty
        outputs = []
        for t in range(9):
            forget, take = torch.sigmoid(forget_gate[..., t]), input_gate[..., t].exp()
            column = F.pad(v[:, :, t], (0, 1), value=1.0).unsqueeze(2)
            C = forget[..., None, None] * C + take[..., None, None] * (
                k[:, :, t].unsqueeze(3) / 2 * column
            )
            read = (q[:, :, t].unsqueeze(2) @ C).squeeze(2)
            outputs.append(read[..., :4] / read[..., 4:].abs().clamp_min(1.0))
        return torch.stack(outputs, dim=2)

    expected = naive(*gates)
    (gradient,) = torch.autograd.grad((weights * expected).sum(), gates)
    for maximum in (-5.0, 0.0, 5.0):
        h, _, _ = mlstm(q, k, v, *gates, matrix=empty, maximum=torch.full((1, 2), maximum).double())
        found = torch.autograd.grad((weights * h).sum(), gates)[0]
        # As exact as the epsilon in the quotient.
        torch.testing.assert_close(h, expected, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(found, gradient, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("length", [1, 2, 7, 64, 100])
def test_the_running_maximum_is_that_of_its_recurrence(length: int) -> None:
    torch.manual_seed(length)
    steps, values, before = -torch.rand(2, 3, length), torch.randn(2, 3, length), torch.randn(2, 3)
    expected = []
    m = before
    for t in range(length):
        m = torch.maximum(steps[:, :, t] + m, values[:, :, t])
        expected.append(m)
    torch.testing.assert_close(running_maximum(steps, values, before), torch.stack(expected, dim=2))


def test_gates_of_any_size_give_finite_outputs_and_gradients() -> None:
    torch.manual_seed(0)
    for size in (100.0, 1000.0):
        gates = size * torch.randn(2, 1, 2, 50)
        gates.requires_grad_()
        q, k, v = torch.randn(3, 1, 2, 50, 4)
        h, _, _ = mlstm(q, k, v, *gates, matrix=torch.zeros(1, 2, 4, 5), maximum=torch.zeros(1, 2))
        (gradient,) = torch.autograd.grad(h.sum(), gates)
        assert h.isfinite().all()
        assert gradient.isfinite().all()
        layer = SLSTMLayer(OPTIONS, layer=0)
        with torch.no_grad():
            layer.bias[0] = -size
        y, _ = layer(torch.randn(1, 5, 8), layer.initial_state(1))
        assert y.isfinite().all()


def test_a_new_model_starts_as_the_public_code_does() -> None:
    torch.manual_seed(0)
    model = XLSTM(XLSTMOptions(hidden_size=32, num_layers=4, num_heads=2), vocab_size=64)
    layers = [block.mixer for block in model.blocks]
    assert [type(layer) for layer in layers] == [MLSTMLayer, SLSTMLayer] * 2
    assert [block.mlp is None for block in model.blocks] == [True, False] * 2
    forgets = layers[0].gates.bias[2:]
    torch.testing.assert_close(forgets.detach(), torch.tensor([3.0, 6.0]))
    assert not layers[0].gates.weight.any()
    assert not layers[1].recurrent.any()
    for layer in (layers[1], layers[3]):
        forget = layer.bias[1].detach()
        torch.testing.assert_close(forget[:, 0], torch.full((2,), 5.0))
        torch.testing.assert_close(forget[:, -1], torch.full((2,), -7.0))
    # The later block keeps more of its memories long.
    assert (layers[3].bias[1, :, 1:-1] > layers[1].bias[1, :, 1:-1]).all()
    tokens = torch.randint(64, (4, 33))
    logits, _ = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert abs(float(loss.detach()) - math.log(64)) < 0.5


def test_blocks_of_weights_are_matrices_and_rates_do_not_decay() -> None:
    roles = XLSTM(XLSTMOptions(hidden_size=16), vocab_size=5).parameter_roles()
    for name in ("0.mixer.query.weight", "1.mixer.candidate.weight", "1.mixer.recurrent"):
        assert roles[f"blocks.{name}"].use == "matrix"
    for name in ("0.mixer.convolution.weight", "1.mixer.bias", "0.mixer.skip"):
        assert roles[f"blocks.{name}"].use == "other"
        assert not roles[f"blocks.{name}"].decay


def test_heads_that_do_not_fit_are_refused_with_a_size_that_does() -> None:
    with pytest.raises(ValueError, match=r"hidden_size 40 is not a multiple of 16.*use 48"):
        XLSTMOptions(hidden_size=40)
