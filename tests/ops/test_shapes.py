"""A tensor of a wrong shape is refused with one sentence, also where padding would hide it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from seqzoo.ops import (
    Removal,
    causal_convolution,
    linear_scan,
    linear_scan_by_step,
    matrix_scan,
    matrix_scan_by_step,
    window_attention,
    window_masks,
)

B, H, T, K, E, W, D = 2, 3, 37, 8, 6, 4, 5


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape)


def scan_arguments(**changed: Any) -> dict[str, Any]:
    return {
        "queries": zeros(B, H, T, K),
        "keys": zeros(B, H, T, K),
        "values": zeros(B, H, T, E),
        "log_decay": zeros(B, H, T),
        "state": zeros(B, H, K, E),
        **changed,
    }


@pytest.mark.parametrize("scan", [matrix_scan, matrix_scan_by_step])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("values", zeros(B, H, T - 3, E)),
        ("keys", zeros(B, H, T + 3, K)),
        ("queries", zeros(B, H, T, K + 1)),
        ("queries", zeros(B, T, K)),
        ("log_decay", zeros(B, H, T - 2)),
        ("log_decay", zeros(B, H, T, K - 1)),
        ("log_decay", zeros(B, 1, T, K)),
        ("state", zeros(H, K, E)),
        ("removal", Removal(zeros(B, H, T - 1, K))),
        ("removal", Removal(zeros(B, H, T, K), zeros(B, H, T, K + 1))),
    ],
)
def test_a_matrix_scan_refuses(scan: Callable[..., Any], name: str, value: Any) -> None:
    scan(**scan_arguments())
    with pytest.raises(ValueError, match=r"^matrix_scan: \w+ has the shape .*, expected \("):
        scan(**scan_arguments(**{name: value}))


@pytest.mark.parametrize("chunk", [0, -1])
def test_a_matrix_scan_refuses_a_chunk_of(chunk: int) -> None:
    with pytest.raises(ValueError, match="chunk is"):
        matrix_scan(**scan_arguments(), chunk=chunk)


@pytest.mark.parametrize("shape", [(B, W - 2, D), (B, W, D), (1, W - 1, D), (W - 1, D)])
def test_a_convolution_refuses_earlier_inputs_of(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"causal_convolution: before has the shape"):
        causal_convolution(zeros(B, T, D), zeros(W, D), None, zeros(*shape))


def test_a_convolution_without_earlier_inputs_begins_with_zeros() -> None:
    inputs, weight = torch.randn(B, T, D), torch.randn(W, D)
    found, rest = causal_convolution(inputs, weight, None)
    expected, expected_rest = causal_convolution(inputs, weight, None, zeros(B, W - 1, D))
    assert torch.equal(found, expected)
    assert torch.equal(rest, expected_rest)


@pytest.mark.parametrize("shape", [(D,), (1, D), (B, 1)])
@pytest.mark.parametrize("scan", [linear_scan, linear_scan_by_step])
def test_a_linear_scan_refuses_a_state_of(scan: Callable[..., Any], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="linear_scan: before has the shape"):
        scan(zeros(B, T, D), zeros(B, T, D), zeros(*shape))


def attention(
    *, num_keys: int = W - 1 + T, head_size: int = 8, rotary_size: int | None = None
) -> Tensor:
    cached = torch.full((B,), W - 1)
    return window_attention(
        zeros(B, 4, T, head_size),
        zeros(B, 2, num_keys, head_size),
        zeros(B, 2, num_keys, head_size),
        window_masks(T, cached, W),
        window=W,
        rotary_size=rotary_size,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_keys": W + T},
        {"num_keys": T},
        {"head_size": 1},
        {"rotary_size": 3},
        {"rotary_size": 0},
        {"rotary_size": 10},
    ],
)
def test_attention_refuses(wrong: dict[str, int]) -> None:
    attention()
    with pytest.raises(ValueError, match=r"^window_attention: "):
        attention(**wrong)


def test_attention_in_half_precision_is_near_that_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, keys, values = (
        torch.randn(B, 4, length, 8, generator=generator) for length in (T, W - 1 + T, W - 1 + T)
    )
    masks = window_masks(T, torch.full((B,), W - 1), W)
    expected = window_attention(queries, keys, values, masks, window=W)
    found = window_attention(
        queries.bfloat16(), keys.bfloat16(), values.bfloat16(), masks, window=W
    )
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("scan", [linear_scan, linear_scan_by_step])
@pytest.mark.parametrize("length", [0, 1, 5])
def test_the_dtype_of_a_linear_scan_does_not_depend_on_the_length(
    scan: Callable[..., Any], length: int
) -> None:
    factors = torch.zeros(B, length, D, dtype=torch.float64)
    assert scan(factors, zeros(B, length, D)).dtype == torch.float64
    assert scan(factors, zeros(B, length, D)).shape == (B, length, D)


@pytest.mark.parametrize("scan", [matrix_scan, matrix_scan_by_step])
def test_no_tokens_change_no_state(scan: Callable[..., Any]) -> None:
    state = torch.randn(B, H, K, E)
    outputs, after = scan(
        zeros(B, H, 0, K), zeros(B, H, 0, K), zeros(B, H, 0, E), zeros(B, H, 0), state
    )
    assert outputs.shape == (B, H, 0, E)
    assert torch.equal(after, state)
