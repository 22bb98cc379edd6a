"""Without an undocumented part of torch the plain form gives the same results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from naive_stack import randomise
from recurrent_stacks import BUILD, V, by_the_cell, every_kind
from torch import Tensor

import seqzoo_plugins
import seqzoo_plugins.recurrent.kernels.product as product_module
import seqzoo_plugins.recurrent.kernels.torch_internals as internals
import seqzoo_plugins.recurrent.stack as stack_module
from seqzoo_plugins.recurrent.kernels.product import repeated_product
from seqzoo_plugins.recurrent.kernels.torch_internals import (
    add_embedding_gradient,
    direct_parameters,
    is_watched,
    packed_product,
    sigmoid_backward,
    tanh_backward,
    write_marks,
)

OPERATORS = {
    "_sigmoid_backward": None,
    "_tanh_backward": None,
    "_embedding_backward": None,
    "_pack": None,
    "_multiply_packed": None,
}
FLAGS = {"_modules_are_known": False, "_writes_are_counted": False}
MISSING = OPERATORS | FLAGS


def _numbers(model: torch.nn.Module) -> list[Tensor]:
    """Logits and gradients of a batch, then the logits of two single tokens."""
    model.zero_grad()
    logits, state = model(torch.arange(40).view(2, 20) % V)
    logits.square().mean().backward()
    found = [logits.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]
    with torch.no_grad():
        for token in (3, 4):
            logits, state = model(torch.full((2, 1), token), state)
            found.append(logits)
    return found


@every_kind
@pytest.mark.parametrize("missing", MISSING)
def test_a_model_without_one_internal_computes_the_same(
    kind: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_module, "kernel_is_faster", lambda *_: True)
    monkeypatch.setattr(product_module, "_SMALL", 0)
    model = randomise(BUILD[kind](hidden_size=6, num_layers=2)).float()
    expected = _numbers(model)
    monkeypatch.setattr(internals, missing, MISSING[missing])
    for one, other in zip(_numbers(model), expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)  # float32, in another order


@pytest.mark.parametrize("function", [sigmoid_backward, tanh_backward])
def test_plain_backward_functions_equal_torchs_and_write_to_out(
    function: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradient, output = torch.randn(3, 4, 5), torch.rand(3, 4, 5)
    expected = function(gradient, output, out=torch.empty(3, 4, 5))
    monkeypatch.setattr(internals, f"_{function.__name__}", None)
    out = torch.empty(3, 2, 4, 5)[:, 1]  # not contiguous, as a gate of a larger buffer
    assert function(gradient, output, out=out) is out
    torch.testing.assert_close(out, expected)


def test_a_plain_embedding_gradient_equals_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    gradients, tokens = torch.randn(4, 3, 5), torch.randint(6, (4, 3))
    expected, rows = torch.ones(6, 5), torch.ones(6, 5)
    add_embedding_gradient(expected, gradients, tokens)
    monkeypatch.setattr(internals, "_embedding_backward", None)
    add_embedding_gradient(rows, gradients, tokens)
    torch.testing.assert_close(rows, expected)


@pytest.mark.parametrize("missing", ["_pack", "_multiply_packed"])
def test_without_a_packed_product_the_general_one_is_used(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product_module, "_SMALL", 0)
    matrix, x, added = torch.randn(8, 6), torch.randn(3, 6), torch.randn(3, 8)
    expected = repeated_product(matrix, 3)(x, added)
    monkeypatch.setattr(internals, missing, None)
    assert packed_product(matrix, 3) is None
    torch.testing.assert_close(repeated_product(matrix, 3)(x, added), expected)


def test_where_hooks_cannot_be_looked_up_modules_are_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = BUILD["gru"](hidden_size=5)
    assert not is_watched(model.layers)
    assert direct_parameters(model)
    monkeypatch.setattr(internals, "_modules_are_known", False)
    assert is_watched(model.layers)
    assert direct_parameters(model) is None


def test_where_writes_are_not_counted_nothing_derived_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = randomise(BUILD["rnn-tanh"](hidden_size=5))
    monkeypatch.setattr(internals, "_writes_are_counted", False)
    assert write_marks(list(model.parameters())) is None
    token, state = torch.full((1, 1), 3), model.initial_state(1)
    with torch.no_grad():
        model(token, state)
        model.layers.all_weights[0][1].mul_(0.5)
        expected, _ = by_the_cell(model, token, state)
        torch.testing.assert_close(model(token, state)[0], model.head(expected))


@pytest.mark.parametrize(
    ("version", "is_known"),
    [("2.8.1", False), ("2.9.0", True), ("2.13.0+cpu", True), ("3.0.0a0", False)],
)
def test_internals_are_used_within_known_versions_only(
    version: str, is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__version__", version)
    found = internals._find(torch.ops, "aten.embedding_dense_backward")
    assert (found is not None) is is_known


@pytest.mark.parametrize("path", ["aten.no_such_operator", "no_such_library.op", "aten.add.no"])
def test_an_internal_that_torch_lacks_is_not_found(path: str) -> None:
    assert internals._find(torch.ops, path) is None


def test_no_other_file_of_the_plugins_uses_internals() -> None:
    folder = Path(seqzoo_plugins.__path__[0])
    words = re.compile(
        r"torch\._[a-zA-Z]|torch\.ops\b|\._version\b|\._(forward|backward)_(pre_)?hooks"
        r"|\._(parameters|modules|buffers)\b"
    )
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in sorted(folder.rglob("*.py"))
        if path.name != "torch_internals.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if words.search(line)
    ]
    assert found == []
