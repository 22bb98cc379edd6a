"""WaveNet against a public implementation, its reach and its initialisation."""

from __future__ import annotations

import math

import pytest
import torch
from reference_vectors import give_weights, reference
from torch import Tensor
from torch.nn import functional as F

from seqzoo_plugins.wavenet.model import WaveNet
from seqzoo_plugins.wavenet.options import WaveNetOptions


def small(*, num_layers: int = 3, num_stacks: int = 2, kernel_size: int = 2) -> WaveNetOptions:
    return WaveNetOptions(
        hidden_size=5,
        gate_size=4,
        skip_size=6,
        end_size=7,
        num_layers=num_layers,
        num_stacks=num_stacks,
        kernel_size=kernel_size,
    )


def model_with_public_weights(vectors: dict[str, Tensor]) -> WaveNet:
    def of(name: str, kind: str) -> Tensor:
        return vectors[f"weight.{name}.{kind}"]

    model = WaveNet(small(), vocab_size=8)
    skips = [f"skip_convs.{layer}" for layer in range(6)]
    weights = {
        # One column for each token, and a bias that is added to all.
        "embed.weight": of("start_conv", "weight").squeeze(-1).T + of("start_conv", "bias"),
        "skips.weight": torch.cat([of(skip, "weight").squeeze(-1) for skip in skips], dim=1),
        "skips.bias": torch.stack([of(skip, "bias") for skip in skips]).sum(0),
    }
    for ours, theirs in {"end": "end_conv_1", "head": "end_conv_2"}.items():
        weights[f"{ours}.weight"] = of(theirs, "weight").squeeze(-1)
        weights[f"{ours}.bias"] = of(theirs, "bias")
    for layer in range(6):
        pair = [f"{kind}_convs.{layer}" for kind in ("filter", "gate")]
        kernels = torch.cat([of(name, "weight") for name in pair])  # (2G, D, W), the oldest first
        weights[f"layers.{layer}.gates.weight"] = kernels.mT.flatten(1)
        weights[f"layers.{layer}.gates.bias"] = torch.cat([of(name, "bias") for name in pair])
        if layer < 5:  # the last one is computed there, and not used
            weights[f"layers.{layer}.outputs.weight"] = of(
                f"residual_convs.{layer}", "weight"
            ).squeeze(-1)
            weights[f"layers.{layer}.outputs.bias"] = of(f"residual_convs.{layer}", "bias")
    give_weights(model, weights)
    return model


@pytest.mark.parametrize("piece", [1, 5, 26])
def test_the_model_equals_the_public_one(piece: int) -> None:
    vectors = reference("wavenet")
    model, state, pieces = model_with_public_weights(vectors), None, []
    for tokens in vectors["input.tokens"].split(piece, dim=1):
        logits, state = model(tokens, state)
        pieces.append(logits)
    found = torch.cat(pieces, dim=1)
    torch.testing.assert_close(found, vectors["output.logits_from_zero_queues"])
    torch.testing.assert_close(found[:, -12:], vectors["output.logits"])


@pytest.mark.parametrize("kernel_size", [2, 3])
def test_a_prediction_depends_on_exactly_the_tokens_of_its_window(kernel_size: int) -> None:
    torch.manual_seed(0)
    # Wide enough that some units after each relu are not zero.
    options = WaveNetOptions(hidden_size=16, num_layers=3, kernel_size=kernel_size)
    model = WaveNet(options, vocab_size=11).double()
    length = options.window + 5
    tokens = torch.randint(11, (1, length))
    changed = (tokens + torch.eye(length, dtype=torch.long)) % 11  # another token in each row
    with torch.no_grad():
        change = model(changed)[0][:, -1] - model(tokens)[0][:, -1]
    matters = change.abs().amax(-1) > 1e-12
    assert matters.tolist() == [False] * 5 + [True] * options.window


def test_the_state_is_what_the_layers_have_still_to_read() -> None:
    options = small(kernel_size=3)
    state = WaveNet(options, vocab_size=11).initial_state(2)
    assert [len(each.inputs[0]) for each in state] == [2, 4, 8, 2, 4, 8]
    assert sum(len(each.inputs[0]) for each in state) == options.window - 1


def test_the_first_loss_is_that_of_a_uniform_guess() -> None:
    torch.manual_seed(0)
    model = WaveNet(WaveNetOptions(), vocab_size=256)
    tokens = torch.randint(256, (2, 65))
    logits, _ = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(256), abs=0.1)


def test_what_a_relu_reads_starts_with_the_variance_of_its_input() -> None:
    torch.manual_seed(0)
    model = WaveNet(WaveNetOptions(), vocab_size=11)
    for layer in (model.skips, model.end):
        bound = (6 / layer.in_features) ** 0.5  # of a uniform distribution, He et al. 2015
        assert 0.99 * bound < layer.weight.abs().max().item() <= bound


def test_a_window_that_is_too_long_is_refused_with_a_depth_that_fits() -> None:
    with pytest.raises(ValueError, match=r"look back 131071 tokens.* use num_layers 15"):
        WaveNetOptions(num_layers=16, num_stacks=2)
    assert WaveNetOptions(num_layers=15, num_stacks=2).window == 65535
