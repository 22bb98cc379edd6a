"""The transformer equals full attention in float64 without a cache, also far into a stream."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from seqzoo import ArchitectureContext
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


def normalised(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
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
    x = weights["embed.weight"][tokens]
    for layer in range(options.num_layers):
        w = {
            name.removeprefix(f"blocks.{layer}."): value
            for name, value in weights.items()
            if name.startswith(f"blocks.{layer}.")
        }
        projected = normalised(x, w["attention_norm.weight"]) @ w["attention_in.weight"].T
        queries, keys, values = projected.reshape(len(x), 3, heads, size).transpose(1, 0, 2, 3)
        attended = np.zeros((len(x), heads, size))
        for head in range(heads):
            for i in range(len(x)):
                seen = [j for j in range(len(x)) if 0 <= i - j < options.window]
                query = rotated(queries[i, head], offset + i)
                scores = np.array([query @ rotated(keys[j, head], offset + j) for j in seen])
                scores = np.exp((scores - scores.max()) / math.sqrt(size))
                attended[i, head] = scores / scores.sum() @ values[seen, head]
        x = x + attended.reshape(len(x), -1) @ w["attention_out.weight"].T
        inner = normalised(x, w["mlp_norm.weight"]) @ w["mlp_in.weight"].T
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = x + inner @ w["mlp_out.weight"].T
    logits: np.ndarray = normalised(x, weights["norm.weight"]) @ weights["head.weight"].T
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
