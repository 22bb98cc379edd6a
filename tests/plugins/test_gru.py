"""The GRU against its equations in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from naive_stack import assert_equals_naive, sigmoid
from torch.nn import functional as F

from seqzoo import ArchitectureContext
from seqzoo_plugins.gru import GRUOptions, build


def cell(
    x: np.ndarray,
    hidden: np.ndarray,
    W: np.ndarray,
    U: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
) -> tuple[np.ndarray]:
    (Wr, Wz, Wn), (Ur, Uz, Un) = np.split(W @ x + b, 3), np.split(U @ hidden + c, 3)
    r, z = sigmoid(Wr + Ur), sigmoid(Wz + Uz)
    n = np.tanh(Wn + r * Un)
    return ((1 - z) * n + z * hidden,)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_logits_follow_the_equations(num_layers: int) -> None:
    options = GRUOptions(hidden_size=6, embedding_size=4, num_layers=num_layers)
    assert_equals_naive(build(options, ArchitectureContext(vocab_size=11)), cell)


def test_recurrent_matrices_start_orthogonal_gate_by_gate() -> None:
    model = build(GRUOptions(hidden_size=7), ArchitectureContext(vocab_size=11))
    for gate in model.layers.all_weights[0][1].chunk(3):
        torch.testing.assert_close(gate @ gate.T, torch.eye(7), atol=1e-5, rtol=0)


def test_the_first_loss_is_near_that_of_a_uniform_guess() -> None:
    torch.manual_seed(0)
    tokens = torch.randint(256, (8, 65))
    logits, _ = build(GRUOptions(), ArchitectureContext(vocab_size=256))(tokens[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(256), abs=0.2)
