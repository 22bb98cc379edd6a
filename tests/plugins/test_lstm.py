"""The LSTM against its equations in NumPy, and what its options do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from naive_stack import assert_equals_naive, sigmoid
from pydantic import ValidationError
from torch.nn import functional as F

from seqzoo import ArchitectureContext
from seqzoo_plugins.lstm import LSTMOptions, build


def cell(
    x: np.ndarray,
    hidden: np.ndarray,
    memory: np.ndarray,
    W: np.ndarray,
    U: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    i, f, g, o = np.split(W @ x + b + U @ hidden + c, 4)
    memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(memory), memory


@pytest.mark.parametrize("num_layers", [1, 3])
def test_logits_follow_the_equations(num_layers: int) -> None:
    options = LSTMOptions(hidden_size=6, embedding_size=4, num_layers=num_layers)
    assert_equals_naive(build(options, ArchitectureContext(vocab_size=11)), cell, num_memories=2)


def test_tied_embeddings_are_one_matrix_scaled_up_as_an_embedding() -> None:
    model = build(
        LSTMOptions(hidden_size=9, tied_embeddings=True), ArchitectureContext(vocab_size=11)
    )
    assert model.embed.weight is model.head.weight
    assert_equals_naive(model, cell, num_memories=2, scale=3.0)


def test_tied_embeddings_of_another_size_are_refused() -> None:
    with pytest.raises(ValidationError, match="found 4; leave embedding_size out"):
        LSTMOptions(hidden_size=6, embedding_size=4, tied_embeddings=True)
    LSTMOptions(hidden_size=6, embedding_size=6, tied_embeddings=True)


@pytest.mark.parametrize("forget_bias", [0.0, 1.0, 2.5])
def test_only_forget_gates_start_at_the_forget_bias(forget_bias: float) -> None:
    options = LSTMOptions(hidden_size=5, num_layers=2, forget_bias=forget_bias)
    for _, _, b, c in build(options, ArchitectureContext(vocab_size=11)).layers.all_weights:
        i, f, g, o = (b + c).chunk(4)
        assert (f == forget_bias).all()
        assert not any(gate.any() for gate in (i, g, o))


def test_recurrent_matrices_start_orthogonal_gate_by_gate() -> None:
    model = build(LSTMOptions(hidden_size=7, num_layers=2), ArchitectureContext(vocab_size=11))
    for _, recurrent, _, _ in model.layers.all_weights:
        for gate in recurrent.chunk(4):
            torch.testing.assert_close(gate @ gate.T, torch.eye(7), atol=1e-5, rtol=0)


@pytest.mark.parametrize("tied", [False, True])
def test_the_first_loss_is_near_that_of_a_uniform_guess(tied: bool) -> None:
    torch.manual_seed(0)
    model = build(LSTMOptions(tied_embeddings=tied), ArchitectureContext(vocab_size=256))
    tokens = torch.randint(256, (8, 65))
    loss = F.cross_entropy(model(tokens[:, :-1])[0].flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(256), abs=0.15)


@pytest.mark.parametrize("field", ["dropout", "input_dropout"])
def test_each_dropout_acts_in_training_and_not_in_evaluation(field: str) -> None:
    model = build(
        LSTMOptions.model_validate({"hidden_size": 16, field: 0.5}),
        ArchitectureContext(vocab_size=11),
    )
    tokens = torch.arange(10).unsqueeze(0)
    assert not torch.equal(model(tokens)[0], model(tokens)[0])
    model.eval()
    assert torch.equal(model(tokens)[0], model(tokens)[0])


def test_dropout_acts_on_a_single_token_without_a_graph_in_training() -> None:
    model = build(LSTMOptions(hidden_size=64, dropout=0.5), ArchitectureContext(vocab_size=11))
    token = torch.zeros(1, 1, dtype=torch.int64)
    with torch.no_grad():
        assert not torch.equal(model(token)[0], model(token)[0])
