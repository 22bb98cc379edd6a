"""Recurrent layers that run one by one are torch's fused layers."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from seqzoo_plugins.recurrent.one_by_one import drops_by_itself, run_one_by_one

KINDS: list[tuple[type[nn.RNNBase], dict[str, Any], int]] = [
    (nn.LSTM, {}, 2),
    (nn.GRU, {}, 1),
    (nn.RNN, {}, 1),
    (nn.RNN, {"nonlinearity": "relu"}, 1),
]
kinds = pytest.mark.parametrize(("kind", "options", "memories"), KINDS)


def made(kind: Any, options: dict[str, Any], dropout: float) -> nn.RNNBase:
    torch.manual_seed(0)
    return kind(4, 5, 3, batch_first=True, dropout=dropout, **options).double()


def inputs(memories: int) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    x = torch.randn(2, 7, 4, dtype=torch.float64)
    return x, tuple(torch.randn(3, 2, 5, dtype=torch.float64) for _ in range(memories))


@kinds
def test_they_are_the_fused_layers(
    kind: type[nn.RNNBase], options: dict[str, Any], memories: int
) -> None:
    layers = made(kind, options, 0.0)
    x, state = inputs(memories)
    expected, last = layers(x, state if memories > 1 else state[0])
    found, after = run_one_by_one(layers, x, state)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(after, last if memories > 1 else (last,), rtol=0, atol=1e-12)


@kinds
def test_dropout_is_between_the_layers_and_repeatable(
    kind: type[nn.RNNBase], options: dict[str, Any], memories: int
) -> None:
    layers = made(kind, options, 0.5)
    x, state = inputs(memories)
    before = torch.get_rng_state()
    dropped, _ = run_one_by_one(layers, x, state)
    torch.set_rng_state(before)
    assert torch.equal(run_one_by_one(layers, x, state)[0], dropped)
    assert not torch.equal(run_one_by_one(layers, x, state)[0], dropped)
    whole = copy.deepcopy(layers).eval()
    expected, _ = whole(x, state if memories > 1 else state[0])
    torch.testing.assert_close(run_one_by_one(whole, x, state)[0], expected)
    # The last layer's output is not dropped, and the first one's input is not either.
    assert (dropped == 0).sum() == 0 or options


def test_only_cudnn_drops_by_itself() -> None:
    assert not drops_by_itself(made(nn.LSTM, {}, 0.5))
