"""Single tokens, one in each lane; their step keeps values derived from the weights."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from naive_stack import randomise
from recurrent_stacks import BUILD, V, by_the_cell, every_kind
from torch import Tensor

import seqzoo_plugins.recurrent.kernels.derived as derived_module
import seqzoo_plugins.recurrent.kernels.step as step_module
from seqzoo_plugins.recurrent.stack import RecurrentStack

CHANGES: dict[str, Callable[[RecurrentStack], None]] = {
    "optimizer": lambda m: _optimize(m, torch.optim.SGD(m.parameters(), lr=0.1)),
    "fused optimizer": lambda m: _optimize(m, _fused(m)),
    "fused optimizer, then no gradients": lambda m: _optimize(m, _fused(m), forget=True),
    "in place": lambda m: _in_place(m, 0.9),
    "load_state_dict": lambda m: _load(m, assign=False),
    "assigned state_dict": lambda m: _load(m, assign=True),
    "a new parameter": lambda m: setattr(
        m.layers, "weight_hh_l0", torch.nn.Parameter(_recurrent(m).detach() * 0.5)
    ),
    "another type and back": lambda m: _in_place(m.to(torch.float32).to(torch.float64), 0.9),
    "data": lambda m: _halve_data(m),
    "data at another address": lambda m: setattr(
        _recurrent(m), "data", _recurrent(m).detach() * 0.5
    ),
    "data, then train": lambda m: _halve_data(m, then_train=True),
}


def _recurrent(model: RecurrentStack) -> torch.nn.Parameter:
    """The recurrent matrix of the first layer."""
    return model.layers.get_parameter("weight_hh_l0")


def _fused(model: RecurrentStack) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)


def _make_gradients(model: RecurrentStack) -> None:
    model(torch.zeros(1, 12, dtype=torch.int64))[0].square().sum().backward()


def _read_one(model: RecurrentStack) -> None:
    with torch.inference_mode():
        model(torch.zeros(1, 1, dtype=torch.int64))


def _optimize(
    model: RecurrentStack, optimizer: torch.optim.Optimizer, *, forget: bool = False
) -> None:
    _make_gradients(model)
    _read_one(model)
    optimizer.step()
    if forget:
        model.zero_grad(set_to_none=True)


def _halve_data(model: RecurrentStack, *, then_train: bool = False) -> None:
    _recurrent(model).data.mul_(0.5)
    if then_train:
        model.train().eval()


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
def test_single_tokens_never_use_old_weights(
    kind: str, num_layers: int, rows: int, change: str
) -> None:
    model = randomise(BUILD[kind](hidden_size=6, num_layers=num_layers))
    token = torch.full((rows, 1), 3)
    state = tuple(torch.full_like(leaf, 0.3) for leaf in model.initial_state(rows))

    def step() -> Tensor:
        with torch.inference_mode():
            logits: Tensor = model(token, state)[0]
        return logits

    before = step()
    CHANGES[change](model)
    after = step()
    assert not torch.equal(before, after)
    with torch.no_grad():
        expected, _ = by_the_cell(model, token, state)
        torch.testing.assert_close(after, model.head(expected), atol=1e-12, rtol=0)


def _forget(model: RecurrentStack) -> None:
    model.zero_grad(set_to_none=True)


def _make_gradients_from_weights_alone(model: RecurrentStack) -> None:
    torch.stack([weight.square().sum() for weight in model.parameters()]).sum().backward()


EVENTS_IN_A_TEXT: dict[str, list[Callable[[RecurrentStack], None] | None]] = {
    "gradients, step": [_make_gradients, None],
    "gradients, step, no gradients": [_make_gradients, None, _forget],
    "gradients, token, step": [_make_gradients, _read_one, None],
    "gradients, token, step, no gradients": [_make_gradients, _read_one, None, _forget],
    "gradients of the weights alone, step": [_make_gradients_from_weights_alone, None],
    "two steps with one gradient": [_make_gradients, None, _read_one, None],
}
"""None: a step of a fused optimizer."""


@every_kind
@pytest.mark.parametrize("change", EVENTS_IN_A_TEXT)
def test_steps_of_fused_optimizers_inside_a_text_are_noticed(kind: str, change: str) -> None:
    model = randomise(BUILD[kind](hidden_size=6, num_layers=2))
    optimizer = _fused(model)
    token = torch.full((1, 1), 3)
    with torch.no_grad():
        state = model(token)[1]
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for event in EVENTS_IN_A_TEXT[change]:
        if event is None:
            optimizer.step()
        else:
            event(model)
    assert not any(map(torch.equal, before, model.parameters()))
    with torch.no_grad():
        found = model(token, state)[0]
        expected, _ = by_the_cell(model, token, state)
        torch.testing.assert_close(found, model.head(expected), atol=1e-12, rtol=0)


def test_a_text_that_continues_compares_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    model = BUILD["lstm"](hidden_size=6).eval()
    token, state = torch.zeros(1, 1, dtype=torch.int64), None
    compared: list[int] = []

    def equal(one: Tensor, other: Tensor) -> bool:
        compared.append(1)
        return torch.equal(one, other)

    monkeypatch.setattr(derived_module, "torch", SimpleNamespace(equal=equal))
    with torch.no_grad():
        for _ in range(4):
            _, state = model(token, state)
        assert not compared
        model(token)
        assert compared


def test_no_model_hooks_onto_the_optimizers_of_the_process() -> None:
    program = (
        "import torch.optim.optimizer as optimizer\n"
        "from seqzoo import ArchitectureContext\n"
        "from seqzoo_plugins.lstm import LSTMOptions, build\n"
        "build(LSTMOptions(), ArchitectureContext(vocab_size=5))\n"
        "assert not optimizer._global_optimizer_post_hooks\n"
        "assert not optimizer._global_optimizer_pre_hooks\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@every_kind
@pytest.mark.parametrize("rows", [1, 3])
def test_states_of_single_tokens_can_be_used_in_any_order_and_after_changes(
    kind: str, rows: int
) -> None:
    model = randomise(BUILD[kind](hidden_size=6, num_layers=2))
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
def test_threads_that_share_a_model_get_their_own_states(
    kind: str, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    model = randomise(BUILD[kind](hidden_size=6, num_layers=2))

    def last_logits(token: int) -> Tensor:
        tokens, state, logits = torch.tensor([[token]]), None, torch.empty(0)
        with torch.no_grad():
            for _ in range(300):
                logits, state = model(tokens, state)
        return logits

    expected = [last_logits(token) for token in range(4)]
    sys.setswitchinterval(1e-6)
    with ThreadPoolExecutor(max_workers=4) as threads:
        torch.testing.assert_close(list(threads.map(last_logits, range(4))), expected)


@every_kind
def test_a_copy_uses_its_own_weights(kind: str) -> None:
    model = randomise(BUILD[kind](hidden_size=6))
    token = torch.zeros(1, 1, dtype=torch.int64)
    with torch.no_grad():
        expected = model(token)[0]
        copied = copy.deepcopy(model)
        _in_place(copied, 0.5)
        assert not torch.equal(copied(token)[0], expected)
        assert torch.equal(model(token)[0], expected)


@every_kind
def test_a_product_in_blocks_gives_the_same_result(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = randomise(BUILD[kind](hidden_size=6, num_layers=2))
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
def test_single_tokens_of_a_diverged_model_give_no_warning(
    kind: str, recwarn: pytest.WarningsRecorder
) -> None:
    model = BUILD[kind](hidden_size=5).eval()
    with torch.no_grad():
        model.layers.all_weights[0][1].fill_(torch.inf)
        logits, _ = model(torch.zeros(1, 1, dtype=torch.int64))
    assert logits.isnan().any()
    assert not recwarn.list


@pytest.mark.filterwarnings("ignore")  # torch recommends torch.export
@every_kind
def test_a_traced_model_reads_the_tokens_that_it_is_given(kind: str) -> None:
    model = randomise(BUILD[kind](hidden_size=5))
    one, other, state = torch.tensor([[1]]), torch.tensor([[2]]), model.initial_state(1)
    with torch.no_grad():
        traced = torch.jit.trace(model, (one, state), check_trace=False)
        torch.testing.assert_close(traced(other, state)[0], model(other, state)[0])
