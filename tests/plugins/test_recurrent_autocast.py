"""Recurrent stacks under autocast, on processors with and without bfloat16 layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from recurrent_stacks import BUILD, V, every_kind
from torch import nn

import seqzoo_plugins.recurrent.autocast as autocast_module
from seqzoo_plugins.recurrent.autocast import fused_layer_runs


@pytest.fixture(params=["as this processor has it", "without"])
def layers_in_bfloat16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both what this processor can do, and a processor whose fused layers have no bfloat16."""
    if request.param == "without":
        monkeypatch.setattr(autocast_module, "fused_layer_runs", lambda *_: False)
        for kind in (nn.LSTM, nn.GRU, nn.RNN):
            monkeypatch.setattr(kind, "forward", _refusing(kind.forward))


def _refusing(forward: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        if torch.is_autocast_enabled("cpu"):
            raise RuntimeError("could not create a primitive descriptor")
        return forward(*args, **kwargs)

    return refuse


@every_kind
@pytest.mark.usefixtures("layers_in_bfloat16")
@pytest.mark.parametrize("length", [1, 20])
@pytest.mark.parametrize("training", [True, False])
def test_logits_under_autocast_are_near_the_full_precision(
    kind: str, length: int, training: bool
) -> None:
    model = BUILD[kind](hidden_size=8).train(training)
    tokens = torch.randint(V, (4, length))
    full, full_state = model(tokens)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.set_grad_enabled(training):
        logits, state = model(tokens)
    assert logits.dtype == torch.bfloat16
    # bfloat16 has 8 bits of precision.
    torch.testing.assert_close(logits.float(), full, atol=0.1, rtol=0.1)
    for leaf, full_leaf in zip(state, full_state, strict=True):
        assert leaf.dtype == torch.float32
        torch.testing.assert_close(leaf, full_leaf, atol=0.1, rtol=0.1)


@every_kind
@pytest.mark.usefixtures("layers_in_bfloat16")
def test_gradients_under_autocast_are_near_the_full_precision(kind: str) -> None:
    model = BUILD[kind](hidden_size=8)
    tokens = torch.randint(V, (4, 20))

    def gradients() -> list[torch.Tensor]:
        logits, _ = model(tokens)
        return list(torch.autograd.grad(logits.float().square().mean(), list(model.parameters())))

    full = gradients()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = gradients()
    for one, other in zip(found, full, strict=True):
        assert (one - other).norm() <= 0.05 * other.norm() + 1e-3


@pytest.mark.parametrize("raised", [False, True])
def test_the_probe_reports_whether_a_layer_runs(
    raised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: nn.GRU, x: torch.Tensor) -> None:
        assert torch.is_autocast_enabled("cpu")
        if raised:
            raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr(nn.GRU, "forward", forward)
    fused_layer_runs.cache_clear()
    assert fused_layer_runs("GRU", torch.bfloat16) is not raised
    fused_layer_runs.cache_clear()


@pytest.mark.parametrize("mode", ["LSTM", "GRU", "RNN_TANH", "RNN_RELU"])
@pytest.mark.parametrize("graph", [True, False])
def test_the_probe_draws_no_random_number_and_works_without_a_graph(mode: str, graph: bool) -> None:
    before = torch.get_rng_state()
    fused_layer_runs.cache_clear()
    with torch.inference_mode(not graph):
        found = fused_layer_runs(mode, torch.bfloat16)
    assert torch.equal(torch.get_rng_state(), before)
    fused_layer_runs.cache_clear()
    assert fused_layer_runs(mode, torch.bfloat16) is found


def test_the_mark_for_the_compiler_is_the_one_that_torch_sets() -> None:
    def answer() -> None: ...

    torch.compiler.assume_constant_result(answer)
    assert vars(answer).items() <= vars(fused_layer_runs).items()
    assert vars(answer)
