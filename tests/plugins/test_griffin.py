"""Griffin against a public implementation, and its initialisation against the paper."""

from __future__ import annotations

import pytest
import torch
from reference_vectors import give_weights, reference
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import ArchitectureContext
from seqzoo_plugins.griffin import build
from seqzoo_plugins.griffin.options import GriffinOptions
from seqzoo_plugins.griffin.recurrence import RGLRU, Recurrent, RecurrentBlock
from seqzoo_plugins.residual.window_attention import WindowAttention


def public_gates(vectors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Weights of RGLRU. The public ones are (heads, in, out), apart, and its rate is negative."""
    weights = [vectors[f"{prefix}{gate}.w"].mT for gate in ("a_gate", "input_gate")]
    biases = [vectors[f"{prefix}{gate}.b"] for gate in ("a_gate", "input_gate")]
    return {
        "blocks": torch.cat(weights, dim=1),
        "gate_bias": torch.cat(biases, dim=1),
        "rate": -vectors[f"{prefix}a_param"],
    }


def test_the_recurrence_equals_the_public_one() -> None:
    vectors = reference("rglru")
    layer = RGLRU(8, 2)
    give_weights(layer, public_gates(vectors, "weight."))
    x, h = vectors["input.x"], vectors["state.h"]
    found = layer(x, h)
    # The public one knows where a text begins; the second row begins another one at its token 6.
    torch.testing.assert_close(found[0], vectors["output.y"][0])
    torch.testing.assert_close(found[1, :6], vectors["output.y"][1, :6])


@pytest.mark.parametrize("piece", [1, 4, 13])
def test_the_recurrent_block_equals_the_public_one(piece: int) -> None:
    vectors = reference("griffin_block")
    given = {
        name.removeprefix("weight."): value
        for name, value in vectors.items()
        if name.startswith("weight.")
    }
    options = GriffinOptions(hidden_size=8, num_heads=2, expansion=1.5)
    block = RecurrentBlock(options)
    inner = "recurrent_block."
    weights = {
        "convolution.weight": given[f"{inner}conv_1d.w"],
        "convolution.bias": given[f"{inner}conv_1d.b"],
    }
    names = {"gate": "linear_y", "inputs": "linear_x", "outputs": "linear_out"}
    for ours, theirs in names.items():
        for part in ("weight", "bias"):
            weights[f"{ours}.{part}"] = given[f"{inner}{theirs}.{part}"]
    gates = public_gates(vectors, f"weight.{inner}rg_lru.")
    give_weights(block, weights | {f"recurrence.{name}": each for name, each in gates.items()})

    def normed(x: Tensor, scale: Tensor) -> Tensor:
        return F.rms_norm(x, (8,), 1 + scale, eps=1e-6)

    state = Recurrent(vectors["state.h"], vectors["state.conv"])
    outputs = []
    for x in vectors["input.x"].split(piece, dim=1):
        mixed, state = block(normed(x, given["temporal_pre_norm.scale"]), state)
        x = x + mixed
        # Its feed-forward part has biases, and ours has none.
        up = torch.einsum(
            "btd,cdi->cbti",
            normed(x, given["channel_pre_norm.scale"]),
            given["mlp_block.ffw_up.w"],
        )
        gate, value = up + given["mlp_block.ffw_up.b"]
        down = (F.gelu(gate, approximate="tanh") * value) @ given["mlp_block.ffw_down.weight"].T
        outputs.append(x + down + given["mlp_block.ffw_down.bias"])
    torch.testing.assert_close(torch.cat(outputs, dim=1), vectors["output.y"])
    torch.testing.assert_close(state.hidden, vectors["final.h"])
    torch.testing.assert_close(state.inputs, vectors["final.conv"])


@pytest.mark.parametrize("piece", [1, 4, 13])
def test_local_attention_equals_the_public_one(piece: int) -> None:
    vectors = reference("griffin_attention")
    options = GriffinOptions(hidden_size=16, num_heads=2, window=5, attention_every=1)
    layer = build(options, ArchitectureContext(vocab_size=11)).blocks[0].mixer
    # It rotates the first half of a head in pairs (i, i + 2); here pairs are (i, i + 4).
    order = torch.tensor([0, 1, 4, 5, 2, 3, 6, 7])
    queries = vectors["weight.proj_q.weight"].unflatten(0, (2, 8))[:, order].flatten(0, 1)
    give_weights(
        layer,
        {
            "queries.weight": queries,
            "keys.weight": vectors["weight.proj_k.weight"][order],
            "values.weight": vectors["weight.proj_v.weight"],
            "outputs.weight": vectors["weight.proj_final.weight"],
            "outputs.bias": vectors["weight.proj_final.bias"],
        },
    )
    state, outputs = layer.initial_state(2), []
    for x in vectors["input.x"].split(piece, dim=1):
        y, state = layer(x, state)
        outputs.append(y)
    found = torch.cat(outputs, dim=1)
    torch.testing.assert_close(found[0], vectors["output.y"][0])
    # In the second row, its token 7 begins another text, which attends to itself alone.
    torch.testing.assert_close(found[1, :7], vectors["output.y"][1, :7])


def test_the_decay_of_an_open_gate_starts_between_0_9_and_0_999() -> None:
    torch.manual_seed(0)
    kept = torch.sigmoid(RGLRU(4000, 1).rate.detach()) ** 8
    assert 0.9 - 1e-5 <= kept.min() < 0.901
    assert 0.998 < kept.max() <= 0.999 + 1e-5
    assert kept.mean() == pytest.approx((0.9 + 0.999) / 2, abs=2e-3)


def test_gates_that_close_completely_leave_finite_gradients() -> None:
    layer = RGLRU(4, 2)
    nn.init.constant_(layer.gate_bias, -200.0)
    x = torch.randn(1, 5, 4, requires_grad=True)
    layer(x, torch.zeros(1, 4)).sum().backward()
    for gradient in (x.grad, *(each.grad for each in layer.parameters())):
        assert gradient is not None
        assert bool(gradient.isfinite().all())


@pytest.mark.parametrize(
    ("every", "attention"), [(0, []), (1, [0, 1, 2, 3, 4]), (2, [1, 3]), (3, [2]), (9, [])]
)
def test_every_nth_block_has_attention(every: int, attention: list[int]) -> None:
    options = GriffinOptions(hidden_size=8, num_heads=2, num_layers=5, attention_every=every)
    model = build(options, ArchitectureContext(vocab_size=11))
    mixers = [block.mixer for block in model.blocks]
    found = [i for i, mixer in enumerate(mixers) if isinstance(mixer, WindowAttention)]
    assert found == attention


def test_the_blocks_of_the_gates_are_matrices_and_biases_do_not_decay() -> None:
    model = build(GriffinOptions(hidden_size=8, num_heads=2), ArchitectureContext(vocab_size=11))
    roles = model.parameter_roles()
    assert roles["blocks.0.mixer.recurrence.blocks"].use == "matrix"
    assert not roles["blocks.0.mixer.recurrence.rate"].decay
    assert not roles["blocks.0.mixer.recurrence.gate_bias"].decay
    assert roles["blocks.2.mixer.keys.weight"].use == "matrix"


def test_without_attention_heads_need_no_even_size() -> None:
    GriffinOptions(hidden_size=12, num_heads=4, attention_every=0)
    with pytest.raises(ValueError, match="twice num_heads"):
        GriffinOptions(hidden_size=12, num_heads=4)


def test_the_feed_forward_part_is_left_out_for_a_ratio_of_0_alone() -> None:
    assert GriffinOptions(mlp_ratio=0.0).mlp_size == 0
    assert GriffinOptions(hidden_size=8, mlp_ratio=0.05).mlp_size == 1
