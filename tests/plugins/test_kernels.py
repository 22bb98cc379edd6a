"""The recurrent kernels compared with their cells, and the cases where torch's layers are used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_stack import randomise
from recurrent_stacks import BUILD, V, by_the_cell, every_kind
from torch import Tensor

import seqzoo_plugins.recurrent.stack as stack_module
from seqzoo.bench.agreement import TOLERANCE_NATS, losses_agree
from seqzoo.plugin.registry import Registry
from seqzoo_plugins.recurrent.stack import RecurrentStack


@pytest.fixture(autouse=True)
def kernels_at_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_module, "kernel_is_faster", lambda *_: True)


def numbers(model: RecurrentStack, outputs: Tensor, last: Any, state: Any) -> Iterator[Tensor]:
    """Outputs, states, and the gradients of a loss that depends on all of them."""
    generator = torch.Generator().manual_seed(2)
    loss = sum(
        (tensor * torch.randn(tensor.shape, dtype=tensor.dtype, generator=generator)).sum()
        for tensor in (outputs, *last)
    )
    sources = [model.embed.weight, *model.layers.parameters(), *state]
    yield from (outputs, *last, *torch.autograd.grad(loss, sources))


@every_kind
@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 5),
    length=st.integers(1, 40),
    hidden_size=st.integers(1, 9),
    num_layers=st.integers(1, 3),
    tied=st.booleans(),
    seed=st.integers(0, 9),
)
def test_outputs_states_and_gradients_equal_those_of_the_cells(
    kind: str, rows: int, length: int, hidden_size: int, num_layers: int, tied: bool, seed: int
) -> None:
    model = BUILD[kind](hidden_size=hidden_size, num_layers=num_layers, tied_embeddings=tied)
    randomise(model, seed=seed).train()
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(V, (rows, length), generator=generator)
    state = tuple(
        torch.randn(leaf.shape, dtype=leaf.dtype, generator=generator).requires_grad_()
        for leaf in model.initial_state(rows)
    )
    found = numbers(model, *model.hidden(tokens, state), state)
    expected = numbers(model, *by_the_cell(model, tokens, state), state)
    for one, other in zip(found, expected, strict=True):
        # Both are float64; a tanh by a sigmoid is exact to its last digits only near 1.
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_losses_over_100_updates_agree_with_torch_and_the_equations(
    name: str, registry: Registry
) -> None:
    spec = registry.get("architecture", name)
    options = spec.options.model_validate({"hidden_size": 24, "num_layers": 2})
    found = losses_agree(spec, options, vocab_size=V, batch_size=4, length=12)
    assert len(found.losses) == 3
    assert found.largest_difference < TOLERANCE_NATS


@every_kind
def test_results_are_the_same_without_a_graph(kind: str) -> None:
    model = randomise(BUILD[kind](hidden_size=7, num_layers=2))
    tokens = torch.randint(V, (3, 20))
    with_graph, state = model(tokens)
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            logits, last = model(tokens)
        assert torch.equal(logits, with_graph)
        assert all(torch.equal(a, b) for a, b in zip(last, state, strict=True))


@every_kind
@pytest.mark.parametrize("length", [1, 5])
def test_an_empty_batch_gives_an_empty_result(kind: str, length: int) -> None:
    model = BUILD[kind](hidden_size=7, num_layers=2).eval()
    with torch.no_grad():
        logits, state = model(torch.empty(0, length, dtype=torch.int64))
    assert logits.shape == (0, length, V)
    assert all(leaf.shape == (0, 2, 7) for leaf in state)


@every_kind
def test_backward_can_run_twice(kind: str) -> None:
    model = randomise(BUILD[kind](hidden_size=7))
    loss = model(torch.randint(V, (3, 20)))[0].square().sum()
    parameters = list(model.parameters())
    first = torch.autograd.grad(loss, parameters, retain_graph=True)
    second = torch.autograd.grad(loss, parameters)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@every_kind
def test_a_second_derivative_is_refused(kind: str) -> None:
    model = randomise(BUILD[kind](hidden_size=5))
    loss = model(torch.randint(V, (2, 12)))[0].square().sum()
    gradient = torch.autograd.grad(loss, model.layers.all_weights[0][1], create_graph=True)[0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.square().sum().backward()


@every_kind
def test_float32_differs_from_torchs_layers_by_rounding(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = BUILD[kind](hidden_size=48, num_layers=2)
    tokens = torch.randint(V, (8, 32))
    found = [*model(tokens)[0].unsqueeze(0), *_gradients(model, tokens)]
    monkeypatch.setattr(stack_module, "kernel_is_faster", lambda *_: False)
    expected = [*model(tokens)[0].unsqueeze(0), *_gradients(model, tokens)]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


def _gradients(model: RecurrentStack, tokens: Tensor) -> tuple[Tensor, ...]:
    loss = model(tokens)[0].square().mean()
    return torch.autograd.grad(loss, list(model.parameters()))


@every_kind
def test_frozen_parameters_get_no_gradient_and_change_no_other(kind: str) -> None:
    model = randomise(BUILD[kind](hidden_size=6))
    tokens = torch.randint(V, (3, 20))
    model(tokens)[0].square().sum().backward()
    expected = model.layers.all_weights[0][0].grad
    assert expected is not None
    model.zero_grad()
    model.layers.all_weights[0][1].requires_grad_(False)
    model.embed.requires_grad_(False)
    model(tokens)[0].square().sum().backward()
    assert model.layers.all_weights[0][1].grad is None
    torch.testing.assert_close(model.layers.all_weights[0][0].grad, expected)


@every_kind
@pytest.mark.parametrize("option", [{"num_layers": 2, "dropout": 0.5}, {"input_dropout": 0.5}])
def test_dropout_between_layers_and_on_the_input_acts_in_training(
    kind: str, option: dict[str, float]
) -> None:
    model = BUILD[kind](hidden_size=16, **option)
    tokens = torch.randint(V, (2, 20))
    assert not torch.equal(model.hidden(tokens)[0], model.hidden(tokens)[0])
    model.eval()
    assert torch.equal(model.hidden(tokens)[0], model.hidden(tokens)[0])


@every_kind
def test_modules_with_a_hook_are_called(kind: str) -> None:
    model = BUILD[kind](hidden_size=5).eval()
    for length in (1, 20):
        for module in (model.embed, model.layers, model.dropout, model.head):
            called = []
            handle = module.register_forward_hook(lambda *_: called.append(1))  # noqa: B023
            with torch.no_grad():
                model(torch.zeros(2, length, dtype=torch.int64))
            handle.remove()
            assert called
