"""RWKV-7 against a public implementation, and how it starts."""

from __future__ import annotations

import math

import pytest
import torch
from reference_vectors import give_weights, reference
from torch import Tensor

from seqzoo.ops import Removal, matrix_scan
from seqzoo_plugins.rwkv7.layers import TimeMemory
from seqzoo_plugins.rwkv7.model import RWKV7, RWKV7Memory
from seqzoo_plugins.rwkv7.options import RWKV7Options

# Our names of the public code's parameters.
LAYER = {
    "ln1": "time_norm",
    "ln2": "channel_norm",
    "att.receptance": "time_mix.receptance",
    "att.key": "time_mix.key",
    "att.value": "time_mix.value",
    "att.output": "time_mix.output",
    "att.ln_x": "time_mix.norm",
    "att.k_k": "time_mix.removed",
    "att.k_a": "time_mix.rate_on_key",
    "att.r_k": "time_mix.bonus",
    "att.w0": "time_mix.decay.outputs.bias",
    "att.a0": "time_mix.rate.outputs.bias",
    "att.v0": "time_mix.first_share.outputs.bias",
    "ffn.x_k": "channel_mix.mix",
    "ffn.key": "channel_mix.key",
    "ffn.value": "channel_mix.value",
}
# The public code multiplies by these from the right.
LOW_RANK = {"w": "decay", "a": "rate", "v": "first_share", "g": "gate"}


def our_weights(public: dict[str, Tensor]) -> dict[str, Tensor]:
    weights = {
        "embed.weight": public.pop("emb.weight"),
        "head.weight": public.pop("head.weight"),
    }
    for part in ("weight", "bias"):
        weights[f"embed_norm.{part}"] = public.pop(f"blocks.0.ln0.{part}")
        weights[f"norm.{part}"] = public.pop(f"ln_out.{part}")
    for number in (0, 1):
        block = f"blocks.{number}."
        weights[block + "time_mix.mixes"] = torch.stack(
            [public.pop(f"{block}att.x_{letter}") for letter in "rkvwag"]
        )
        for letter, name in LOW_RANK.items():
            for place, part in ((1, "inputs"), (2, "outputs")):
                if (matrix := public.pop(f"{block}att.{letter}{place}", None)) is not None:
                    weights[f"{block}time_mix.{name}.{part}.weight"] = matrix.T
    for name, tensor in public.items():
        _, layer, rest = name.split(".", 2)
        end = next((end for end in (".weight", ".bias") if rest.endswith(end)), "")
        weights[f"blocks.{layer}.{LAYER[rest.removesuffix(end)]}{end}"] = tensor
    return weights


@pytest.mark.parametrize("piece", [1, 5, 13])
def test_the_model_equals_the_public_one(piece: int) -> None:
    vectors = reference("rwkv7_block")
    options = RWKV7Options(
        hidden_size=8,
        num_heads=2,
        mlp_ratio=2.0,
        decay_rank=3,
        rate_rank=2,
        value_rank=2,
        gate_rank=5,
    )
    model = RWKV7(options, vocab_size=12)
    public = {
        name.removeprefix("weight."): tensor
        for name, tensor in vectors.items()
        if name.startswith("weight.")
    }
    give_weights(model, our_weights(public))
    matrices, shifts = vectors["state.S"].mT, vectors["state.shift"]  # ours is keys by values
    state = tuple(
        RWKV7Memory(TimeMemory(matrices[:, layer], shifts[:, layer, 0]), shifts[:, layer, 1])
        for layer in (0, 1)
    )
    logits = []
    for tokens in vectors["input.tokens"].split(piece, dim=1):
        y, state = model(tokens, state)
        logits.append(y)
    torch.testing.assert_close(torch.cat(logits, dim=1), vectors["output.logits"])
    for layer, memory in enumerate(state):
        torch.testing.assert_close(memory.time.matrix, vectors["final.S"][:, layer].mT)
        torch.testing.assert_close(memory.time.last, vectors["final.shift"][:, layer, 0])
        torch.testing.assert_close(memory.channel, vectors["final.shift"][:, layer, 1])


def test_the_delta_rule_equals_the_public_one() -> None:
    vectors = reference("rwkv7_op")
    r, k, v, kk, a, log_decay = (
        vectors[f"input.{name}"].transpose(1, 2) for name in ("r", "k", "v", "kk", "a", "w_log")
    )
    outputs, state = matrix_scan(r, k, v, log_decay, vectors["state.h"], Removal(-kk, kk * a))
    torch.testing.assert_close(outputs, vectors["output.o"].transpose(1, 2))
    torch.testing.assert_close(state, vectors["final.h"])


def test_the_loss_of_a_new_model_is_near_that_of_a_guess() -> None:
    torch.manual_seed(0)
    model = RWKV7(RWKV7Options(hidden_size=32), vocab_size=64)
    tokens = torch.randint(64, (4, 33))
    logits, _ = model(tokens[:, :-1])
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert abs(float(loss.detach()) - math.log(64)) < 0.3


def test_first_channels_and_later_layers_start_with_the_longest_memories() -> None:
    model = RWKV7(RWKV7Options(hidden_size=16, num_layers=3), vocab_size=5)
    decays = [block.time_mix.decay.outputs.bias for block in model.blocks]
    # Less is a decay nearer to 1. At the same place in each head the zigzag is the same.
    for bias in decays:
        assert bias[0] < bias[4] < bias[8] < bias[12]
    assert decays[2][8] < decays[1][8] < decays[0][8]
    shares = [block.time_mix.mixes[1, 8] for block in model.blocks]
    assert shares[2] < shares[1] < shares[0]


def test_weight_decay_acts_on_the_large_matrices_only() -> None:
    roles = RWKV7(RWKV7Options(hidden_size=16), vocab_size=5).parameter_roles()
    decaying = {name.removeprefix("blocks.1.") for name, role in roles.items() if role.decay}
    assert {name for name in decaying if not name.startswith("blocks")} == {
        "embed.weight",
        "head.weight",
        "time_mix.receptance.weight",
        "time_mix.key.weight",
        "time_mix.value.weight",
        "time_mix.output.weight",
        "channel_mix.key.weight",
        "channel_mix.value.weight",
    }


def test_heads_that_do_not_fit_are_refused_with_a_size_that_does() -> None:
    with pytest.raises(ValueError, match="hidden_size 30 is not a multiple of num_heads 4; use 32"):
        RWKV7Options(hidden_size=30)
    with pytest.raises(ValueError, match="found hidden_size 8; use num_heads 2"):
        RWKV7Options(hidden_size=8)
