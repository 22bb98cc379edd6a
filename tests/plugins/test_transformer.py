"""The transformer equals full attention in float64 without a cache, also far into a stream."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from reference_vectors import reference
from torch import Tensor
from torch.nn import functional as F

from seqzoo import ArchitectureContext
from seqzoo.ops import window_masks
from seqzoo_plugins.transformer import build
from seqzoo_plugins.transformer.model import Transformer
from seqzoo_plugins.transformer.options import TransformerOptions

V = 11


def randomised(options: TransformerOptions) -> Transformer:
    """Random weights, large enough for attention that is not uniform."""
    model = build(options, ArchitectureContext(vocab_size=V))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5, generator=generator)
    return model.double().eval()


def normalised(x: np.ndarray, gain: np.ndarray, *, norm: str = "layer") -> np.ndarray:
    centred = x if norm == "rms" else x - x.mean(-1, keepdims=True)
    result: np.ndarray = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * gain
    return result


def rotated(x: np.ndarray, position: int) -> np.ndarray:
    """Pair i of a head as one complex number, turned by position times 10000^(-2 i / size)."""
    half = len(x) // 2
    turned = (x[:half] + 1j * x[half:]) * np.exp(
        1j * position * 10000.0 ** (-np.arange(half) / half)
    )
    return np.concatenate([turned.real, turned.imag])


def naive_logits(
    model: Transformer, tokens: np.ndarray, options: TransformerOptions, *, offset: int = 0
) -> np.ndarray:
    """(T,) to (T, V): each query and each key in a loop, the window as an explicit condition."""
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    heads, size = options.num_heads, options.hidden_size // options.num_heads
    group = heads // options.key_heads
    first_values: np.ndarray | None = None
    x = weights["embed.weight"][tokens]
    for layer in range(options.num_layers):
        w = {
            name.removeprefix(f"blocks.{layer}."): value
            for name, value in weights.items()
            if name.startswith(f"blocks.{layer}.")
        }
        inner = normalised(x, w["attention_norm.weight"], norm=options.norm)
        projected = (inner @ w["attention_in.weight"].T).reshape(len(x), -1, size)
        queries, keys, values = np.split(projected, [heads, heads + options.key_heads], axis=1)
        if options.qk_norm:
            queries, keys = (
                each / np.sqrt((each**2).mean(-1, keepdims=True)) for each in (queries, keys)
            )
        if options.value_residual and first_values is not None:
            share = w["first_value_share"]
            values = (1 - share) * values + share * first_values
        first_values = values if first_values is None else first_values
        attended = np.zeros((len(x), heads, size))
        for head in range(heads):
            for i in range(len(x)):
                seen = [j for j in range(len(x)) if 0 <= i - j < options.window]
                query = rotated(queries[i, head], offset + i)
                near = keys[:, head // group]
                scores = np.array([query @ rotated(near[j], offset + j) for j in seen])
                scores = np.exp((scores - scores.max()) / math.sqrt(size))
                attended[i, head] = scores / scores.sum() @ values[seen, head // group]
        x = x + attended.reshape(len(x), -1) @ w["attention_out.weight"].T
        inner = normalised(x, w["mlp_norm.weight"], norm=options.norm)
        units = inner @ w["mlp_in.weight"].T
        if options.feed_forward == "swiglu":
            gate = inner @ w["mlp_gate.weight"].T
            units = gate / (1 + np.exp(-gate)) * units
        else:
            units = units * 0.5 * (1 + np.vectorize(math.erf)(units / math.sqrt(2)))
        x = x + units @ w["mlp_out.weight"].T
    last = normalised(x, weights["norm.weight"], norm=options.norm)
    logits: np.ndarray = last @ weights["head.weight"].T
    return logits


@pytest.mark.parametrize("window", [2, 5, 16, 64])
@pytest.mark.parametrize("chunk", [1, 3, 5, 37])
def test_logits_equal_full_attention_under_a_window_mask(window: int, chunk: int) -> None:
    options = TransformerOptions(hidden_size=8, num_layers=2, num_heads=2, window=window)
    model = randomised(options)
    tokens = torch.randint(V, (2, 37), generator=torch.Generator().manual_seed(1))
    state, pieces = None, []
    with torch.no_grad():
        for piece in tokens.split(chunk, dim=1):
            logits, state = model(piece, state)
            pieces.append(logits)
    logits = torch.cat(pieces, dim=1).numpy()
    for row in range(2):
        expected = naive_logits(model, tokens[row].numpy(), options)
        np.testing.assert_allclose(logits[row], expected, atol=1e-10)


@pytest.mark.parametrize(
    "changes",
    [
        {"norm": "rms"},
        {"feed_forward": "swiglu"},
        {"num_key_heads": 1},
        {"num_key_heads": 2},
        {"qk_norm": True},
        {"value_residual": True},
        {
            "norm": "rms",
            "feed_forward": "swiglu",
            "num_key_heads": 2,
            "qk_norm": True,
            "value_residual": True,
        },
    ],
    ids=lambda each: "-".join(each),
)
def test_options_compute_what_their_papers_say(changes: dict[str, Any]) -> None:
    options = TransformerOptions(
        hidden_size=16, num_layers=3, num_heads=4, window=5, mlp_ratio=1, **changes
    )
    model = randomised(options)
    tokens = torch.randint(V, (1, 17), generator=torch.Generator().manual_seed(1))
    expected = naive_logits(model, tokens[0].numpy(), options)
    state, pieces = None, []
    with torch.no_grad():
        for piece in tokens.split([6, 1, 10], dim=1):
            logits, state = model(piece, state)
            pieces.append(logits)
    np.testing.assert_allclose(torch.cat(pieces, dim=1)[0].numpy(), expected, atol=1e-10)


def causal(options: TransformerOptions, length: int) -> tuple[Any, ...]:
    """An empty cache for one layer, and the masks of a first piece."""
    cache = Transformer(options, vocab_size=V).double().initial_state(2)
    return cache.keys[0], cache.values[0], window_masks(length, cache.length, options.window)


def in_halves(weight: Tensor, size: int) -> Tensor:
    """Rows of heads with pairs (2 i, 2 i + 1), with pairs (i, i + size / 2)."""
    return weight.unflatten(0, (-1, size // 2, 2)).transpose(1, 2).flatten(0, 2)


def test_shared_key_heads_equal_a_public_implementation() -> None:
    vectors = reference("gqa_attention")
    options = TransformerOptions(hidden_size=16, num_heads=4, num_key_heads=2, num_layers=1)
    block: Any = Transformer(options, vocab_size=V).double().eval().blocks[0]
    block.attention_norm = torch.nn.Identity()
    with torch.no_grad():
        block.mlp_out.weight.zero_()
        block.attention_out.weight.copy_(vectors["weight.wo.weight"])
        block.attention_in.weight.copy_(
            torch.cat(
                [
                    in_halves(vectors["weight.wq.weight"], 4),
                    in_halves(vectors["weight.wk.weight"], 4),
                    vectors["weight.wv.weight"],
                ]
            )
        )
    x = vectors["input.x"]
    found = block(x, *causal(options, x.shape[1]), None)[0] - x
    torch.testing.assert_close(found, vectors["output.y"])


def test_normed_keys_and_mixed_values_equal_a_public_implementation() -> None:
    vectors = reference("value_residual_qknorm")
    options = TransformerOptions(
        hidden_size=8, num_heads=2, num_layers=2, qk_norm=True, value_residual=True
    )
    blocks: Any = Transformer(options, vocab_size=V).double().eval().blocks
    x = start = vectors["input.x"]
    first_values = None
    for number, block in enumerate(blocks):
        weights = {
            name.removeprefix(f"weight.{number}."): value
            for name, value in vectors.items()
            if name.startswith(f"weight.{number}.")
        }
        block.attention_norm = torch.nn.RMSNorm(8, elementwise_affine=False)
        with torch.no_grad():
            block.mlp_out.weight.zero_()
            block.attention_out.weight.copy_(weights["attn.c_proj.weight"])
            # It rotates by minus the angle, which is ours with the elements of a pair exchanged.
            rows = [weights[f"attn.c_{part}.weight"] for part in "qkv"]
            rows[:2] = [each.unflatten(0, (2, 2, 2)).flip(1).flatten(0, 2) for each in rows[:2]]
            block.attention_in.weight.copy_(torch.cat(rows))
            if number:
                block.first_value_share.copy_(weights["attn.lamb"])
        x = weights["lambdas"][0] * x + weights["lambdas"][1] * start
        x, _, values = block(x, *causal(options, x.shape[1]), first_values)
        first_values = values[:, :, options.window - 1 :] if number == 0 else first_values
        # Its feed-forward part, relu², is none of ours.
        units = F.rms_norm(x, (8,)) @ weights["mlp.c_fc.weight"].T
        x = x + units.relu() ** 2 @ weights["mlp.c_proj.weight"].T
        torch.testing.assert_close(x, vectors[f"output.block{number}"])


def test_untied_head_is_its_own_matrix() -> None:
    options = TransformerOptions(
        hidden_size=8, num_layers=1, num_heads=2, window=4, tied_embeddings=False
    )
    model = randomised(options)
    tokens = torch.randint(V, (1, 9), generator=torch.Generator().manual_seed(1))
    expected = naive_logits(model, tokens[0].numpy(), options)
    np.testing.assert_allclose(model(tokens)[0][0].detach().numpy(), expected, atol=1e-10)
    assert build(TransformerOptions(), ArchitectureContext(vocab_size=V)).embed.weight.shape == (
        V,
        128,
    )


def test_logits_do_not_depend_on_how_far_into_a_stream_they_are() -> None:
    options = TransformerOptions(hidden_size=8, num_layers=2, num_heads=2, window=6)
    model = randomised(options)
    tokens = torch.randint(V, (1, 20), generator=torch.Generator().manual_seed(1))
    logits = model(tokens)[0][0].detach().numpy()
    # The naive form rotates by positions of a million; it agrees to its own precision.
    far = naive_logits(model, tokens[0].numpy(), options, offset=10**6)
    np.testing.assert_allclose(logits, far, atol=1e-6)


def test_a_million_tokens_later_a_float32_logit_is_the_same_to_the_last_bit() -> None:
    model = randomised(TransformerOptions(hidden_size=4, num_layers=1, num_heads=1)).float()
    tokens = torch.randint(V, (1, 20), generator=torch.Generator().manual_seed(1))
    filler = torch.zeros(1, 8000, dtype=torch.int64)
    with torch.inference_mode():
        _, state = model(filler)
        early, _ = model(tokens, state)
        for _ in range(125):
            _, state = model(filler, state)
        assert torch.equal(model(tokens, state)[0], early)


def test_tokens_outside_the_windows_of_all_layers_have_no_effect() -> None:
    options = TransformerOptions(hidden_size=8, num_layers=2, num_heads=2, window=5)
    model = randomised(options)
    reach = options.num_layers * (options.window - 1)
    tokens = torch.randint(V, (1, 30), generator=torch.Generator().manual_seed(1))
    for distance, reaches in ((reach, True), (reach + 1, False)):
        changed = tokens.clone()
        changed[0, 29 - distance] = (changed[0, 29 - distance] + 1) % V
        same = torch.equal(model(changed)[0][0, 29], model(tokens)[0][0, 29])
        assert same is not reaches


def test_the_cache_holds_one_token_less_than_the_window() -> None:
    options = TransformerOptions(hidden_size=8, num_layers=2, num_heads=2, window=5)
    model = build(options, ArchitectureContext(vocab_size=V)).eval()
    state = model.initial_state(3)
    for read, expected in ((3, 3), (1, 4), (9, 4)):
        _, state = model(torch.zeros(3, read, dtype=torch.int64), state)
        assert state.length.tolist() == [expected] * 3
        assert {leaf.shape for leaf in (*state.keys, *state.values)} == {(3, 2, 4, 4)}


def test_tables_that_evaluation_computes_first_can_be_used_in_training() -> None:
    """Tensors made in inference mode cannot be saved for a backward pass."""
    model = build(TransformerOptions(hidden_size=8, window=13), ArchitectureContext(vocab_size=V))
    tokens = torch.zeros(1, 5, dtype=torch.int64)
    with torch.inference_mode():
        model(tokens)
    model(tokens)[0].sum().backward()


def test_added_outputs_start_smaller_with_more_layers() -> None:
    torch.manual_seed(0)
    model = build(
        TransformerOptions(hidden_size=128, num_layers=8), ArchitectureContext(vocab_size=V)
    )
    expected = {"attention_in": 0.02, "attention_out": 0.02 / 4, "mlp_out": 0.02 / 4}
    for block in model.blocks:
        for name, std in expected.items():
            weight = block.get_parameter(f"{name}.weight")
            assert weight.std().item() == pytest.approx(std, rel=0.05)


@pytest.mark.parametrize("tied", [False, True])
def test_the_first_loss_is_near_that_of_a_uniform_guess(tied: bool) -> None:
    torch.manual_seed(0)
    model = build(TransformerOptions(tied_embeddings=tied), ArchitectureContext(vocab_size=256))
    tokens = torch.randint(256, (4, 65))
    loss = F.cross_entropy(model(tokens[:, :-1])[0].flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(256), abs=0.1)


@pytest.mark.parametrize(("hidden_size", "suggestion"), [(130, 136), (4, 8), (20, 24)])
def test_a_width_that_does_not_fit_the_heads_is_refused_with_a_suggestion(
    hidden_size: int, suggestion: int
) -> None:
    with pytest.raises(ValidationError, match=rf"use {suggestion}$|use {suggestion} "):
        TransformerOptions(hidden_size=hidden_size, num_heads=4)
    TransformerOptions(hidden_size=suggestion, num_heads=4)
