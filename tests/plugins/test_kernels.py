"""The recurrent kernels against their cells, one step at a time, and where they give way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_stack import shake
from torch import Tensor

import seqzoo_plugins._kernels.step as step_module
import seqzoo_plugins._stack as stack_module
from seqzoo.agreement import TOLERANCE_NATS, losses_agree
from seqzoo.registry import Registry
from seqzoo_plugins import gru, lstm, rnn
from seqzoo_plugins._stack import RecurrentStack

V = 11

BUILD: dict[str, Callable[..., Any]] = {
    "lstm": lambda **o: lstm.build(lstm.LSTMOptions(**o), vocab_size=V),
    "gru": lambda **o: gru.build(gru.GRUOptions(**o), vocab_size=V),
    "rnn-tanh": lambda **o: rnn.build(rnn.RNNOptions(**o), vocab_size=V),
    "rnn-relu": lambda **o: rnn.build(rnn.RNNOptions(nonlinearity="relu", **o), vocab_size=V),
}
every_kind = pytest.mark.parametrize("kind", BUILD)


@pytest.fixture(autouse=True)
def kernels_at_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_module, "kernel_is_faster", lambda *_: True)


def by_the_cell(
    model: RecurrentStack, tokens: Tensor, state: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """What `hidden` gives by the equations, on the same weights."""
    model.by_the_cell = True
    try:
        return model.hidden(tokens, state)
    finally:
        model.by_the_cell = False


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
def test_outputs_states_and_gradients_are_the_cells(
    kind: str, rows: int, length: int, hidden_size: int, num_layers: int, tied: bool, seed: int
) -> None:
    model = BUILD[kind](hidden_size=hidden_size, num_layers=num_layers, tied_embeddings=tied)
    shake(model, seed=seed).train()
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(V, (rows, length), generator=generator)
    state = tuple(
        torch.randn(leaf.shape, dtype=leaf.dtype, generator=generator).requires_grad_()
        for leaf in model.initial_state(rows)
    )
    found = numbers(model, *model.hidden(tokens, state), state)
    expected = numbers(model, *by_the_cell(model, tokens, state), state)
    for one, other in zip(found, expected, strict=True):
        # float64, both; the tanh through a sigmoid is exact to its last digits near 1 only.
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_losses_over_100_updates_are_torchs_and_the_equations(
    name: str, registry: Registry
) -> None:
    spec = registry.get("architecture", name)
    options = spec.options(hidden_size=24, num_layers=2)
    found = losses_agree(spec, options, vocab_size=V, batch_size=4, length=12)
    assert len(found.losses) == 3
    assert found.largest_difference < TOLERANCE_NATS


@every_kind
def test_no_graph_changes_no_number(kind: str) -> None:
    model = shake(BUILD[kind](hidden_size=7, num_layers=2))
    tokens = torch.randint(V, (3, 20))
    with_graph, state = model(tokens)
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            logits, last = model(tokens)
        assert torch.equal(logits, with_graph)
        assert all(torch.equal(a, b) for a, b in zip(last, state, strict=True))


@every_kind
@pytest.mark.parametrize("length", [1, 5])
def test_no_rows_give_no_rows(kind: str, length: int) -> None:
    model = BUILD[kind](hidden_size=7, num_layers=2).eval()
    with torch.no_grad():
        logits, state = model(torch.empty(0, length, dtype=torch.int64))
    assert logits.shape == (0, length, V)
    assert all(leaf.shape == (0, 2, 7) for leaf in state)


@every_kind
def test_a_graph_can_be_walked_twice(kind: str) -> None:
    model = shake(BUILD[kind](hidden_size=7))
    loss = model(torch.randint(V, (3, 20)))[0].square().sum()
    parameters = list(model.parameters())
    first = torch.autograd.grad(loss, parameters, retain_graph=True)
    second = torch.autograd.grad(loss, parameters)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@every_kind
def test_a_derivative_of_the_derivative_is_refused(kind: str) -> None:
    model = shake(BUILD[kind](hidden_size=5))
    loss = model(torch.randint(V, (2, 12)))[0].square().sum()
    gradient = torch.autograd.grad(loss, model.layers.weight_hh_l0, create_graph=True)[0]
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
def test_frozen_parameters_receive_nothing_and_change_nothing(kind: str) -> None:
    model = shake(BUILD[kind](hidden_size=6))
    tokens = torch.randint(V, (3, 20))
    model(tokens)[0].square().sum().backward()
    expected = model.layers.weight_ih_l0.grad.clone()
    model.zero_grad()
    model.layers.weight_hh_l0.requires_grad_(False)
    model.embed.requires_grad_(False)
    model(tokens)[0].square().sum().backward()
    assert model.layers.weight_hh_l0.grad is None
    torch.testing.assert_close(model.layers.weight_ih_l0.grad, expected)


@every_kind
def test_dropout_between_layers_and_on_the_input_acts_in_training(kind: str) -> None:
    for option in ({"num_layers": 2, "dropout": 0.5}, {"input_dropout": 0.5}):
        model = BUILD[kind](hidden_size=16, **option)
        tokens = torch.randint(V, (2, 20))
        hidden = lambda: model.hidden(tokens)[0]  # noqa: B023, E731
        assert not torch.equal(hidden(), hidden())
        model.eval()
        assert torch.equal(hidden(), hidden())


@every_kind
def test_layers_that_somebody_hooked_on_to_are_called(kind: str) -> None:
    model = BUILD[kind](hidden_size=5).eval()
    for length in (1, 20):
        for module in (model.embed, model.layers, model.dropout, model.head):
            called = []
            handle = module.register_forward_hook(lambda *_: called.append(1))  # noqa: B023
            with torch.no_grad():
                model(torch.zeros(2, length, dtype=torch.int64))
            handle.remove()
            assert called


@every_kind
def test_torchs_layers_serve_under_autocast(kind: str) -> None:
    model = BUILD[kind](hidden_size=8)
    tokens = torch.randint(V, (4, 20))
    full, _ = model(tokens)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, _ = model(tokens)
    assert logits.dtype == torch.bfloat16
    torch.testing.assert_close(logits.float(), full, atol=0.1, rtol=0.1)


CHANGES: dict[str, Callable[[RecurrentStack], None]] = {
    "optimizer": lambda m: _optimize(m, torch.optim.SGD(m.parameters(), lr=0.1)),
    "fused optimizer": lambda m: _optimize(
        m, torch.optim.AdamW(m.parameters(), lr=0.1, fused=True)
    ),
    "in place": lambda m: _in_place(m, 0.9),
    "load_state_dict": lambda m: _load(m, assign=False),
    "assigned state_dict": lambda m: _load(m, assign=True),
    "a new parameter": lambda m: setattr(
        m.layers, "weight_hh_l0", torch.nn.Parameter(m.layers.weight_hh_l0.detach() * 0.5)
    ),
    "another type and back": lambda m: _in_place(m.to(torch.float32).to(torch.float64), 0.9),
    "data, then train": lambda m: (
        m.layers.weight_hh_l0.data.mul_(0.5) is not None and m.train() and m.eval()
    ),
}


def _optimize(model: RecurrentStack, optimizer: torch.optim.Optimizer) -> None:
    model(torch.zeros(1, 12, dtype=torch.int64))[0].square().sum().backward()
    with torch.inference_mode():
        model(torch.zeros(1, 1, dtype=torch.int64))
    optimizer.step()


def _in_place(model: RecurrentStack, factor: float) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(factor)


def _load(model: RecurrentStack, *, assign: bool) -> None:
    weights = {name: tensor * 0.5 for name, tensor in model.state_dict().items()}
    model.load_state_dict(weights, assign=assign)


@every_kind
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("change", CHANGES)
def test_single_tokens_never_use_weights_of_the_past(
    kind: str, num_layers: int, rows: int, change: str
) -> None:
    model = shake(BUILD[kind](hidden_size=6, num_layers=num_layers))
    token = torch.full((rows, 1), 3)
    state = tuple(torch.full_like(leaf, 0.3) for leaf in model.initial_state(rows))

    def step() -> Tensor:
        with torch.inference_mode():
            return model(token, state)[0]

    before = step()
    CHANGES[change](model)
    after = step()
    assert not torch.equal(before, after)
    with torch.no_grad():
        expected, _ = by_the_cell(model, token, state)
        torch.testing.assert_close(after, model.head(expected), atol=1e-12, rtol=0)


@every_kind
@pytest.mark.parametrize("rows", [1, 3])
def test_states_of_single_tokens_are_read_out_of_turn_and_as_they_are_now(
    kind: str, rows: int
) -> None:
    model = shake(BUILD[kind](hidden_size=6, num_layers=2))
    tokens = torch.arange(4).expand(rows, -1).split(1, dim=1)
    with torch.no_grad():
        first = model(tokens[0])[1]
        kept = tuple(leaf.clone() for leaf in first)
        expected, second = model(tokens[1], first)
        model(tokens[2], second)
        torch.testing.assert_close(first, kept, atol=0, rtol=0)
        assert torch.equal(model(tokens[1], first)[0], expected)

        last = model(tokens[3], second)[1]
        for leaf in last:
            leaf.zero_()
        assert torch.equal(model(tokens[0], last)[0], model(tokens[0])[0])


@every_kind
def test_a_copy_derives_from_its_own_weights(kind: str) -> None:
    model = shake(BUILD[kind](hidden_size=6))
    token = torch.zeros(1, 1, dtype=torch.int64)
    with torch.no_grad():
        expected = model(token)[0]
        copied = copy.deepcopy(model)
        _in_place(copied, 0.5)
        assert not torch.equal(copied(token)[0], expected)
        assert torch.equal(model(token)[0], expected)


@every_kind
def test_the_equations_also_hold_for_a_product_in_blocks(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shake(BUILD[kind](hidden_size=6, num_layers=2))
    token, state = torch.full((1, 1), 3), model.initial_state(1)
    with torch.no_grad():
        expected = model.head(by_the_cell(model, token, state)[0])
        monkeypatch.setattr(step_module, "_BLOCK_NUMBERS", 13)
        logits = model(token, state)[0]
    torch.testing.assert_close(logits, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("token", [-1, V])
def test_a_single_token_that_is_no_symbol_is_refused(rows: int, token: int) -> None:
    with torch.no_grad(), pytest.raises(IndexError):
        BUILD["lstm"](hidden_size=5).eval()(torch.full((rows, 1), token))


@every_kind
def test_single_tokens_of_a_diverged_model_warn_of_nothing(
    kind: str, recwarn: pytest.WarningsRecorder
) -> None:
    model = BUILD[kind](hidden_size=5).eval()
    with torch.no_grad():
        model.layers.weight_hh_l0.fill_(torch.inf)
        logits, _ = model(torch.zeros(1, 1, dtype=torch.int64))
    assert logits.isnan().any()
    assert not recwarn.list


@pytest.mark.filterwarnings("ignore")  # torch would rather see torch.export used
@every_kind
def test_a_traced_model_reads_the_tokens_that_it_is_given(kind: str) -> None:
    model = shake(BUILD[kind](hidden_size=5))
    one, other, state = torch.tensor([[1]]), torch.tensor([[2]]), model.initial_state(1)
    with torch.no_grad():
        traced = torch.jit.trace(model, (one, state), check_trace=False)
        torch.testing.assert_close(traced(other, state)[0], model(other, state)[0])
