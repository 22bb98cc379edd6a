"""Recurrent stacks in NumPy and float64, one token at a time, as a reference for the fast forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from seqzoo.plugin.contracts import SequenceModel

Model = TypeVar("Model", bound=SequenceModel)

Cell = Callable[..., tuple[np.ndarray, ...]]
"""(x, *memories, input matrix, recurrent matrix, input bias, recurrent bias) -> memories."""


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def naive_logits(
    model: SequenceModel, tokens: np.ndarray, cell: Cell, *, num_memories: int, scale: float = 1.0
) -> np.ndarray:
    """(T,) tokens to (T, V) logits with the model's weights, from a state of zeros."""
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}
    num_layers = sum("weight_hh" in name for name in weights)
    hidden_size = weights["layers.weight_hh_l0"].shape[1]
    memories = [
        tuple(np.zeros(hidden_size) for _ in range(num_memories)) for _ in range(num_layers)
    ]
    logits = []
    for token in tokens:
        x = weights["embed.weight"][token] * scale
        for layer in range(num_layers):
            parameters = [
                weights[f"layers.{part}_l{layer}"]
                for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            memories[layer] = cell(x, *memories[layer], *parameters)
            x = memories[layer][0]
        logits.append(weights["head.weight"] @ x + weights["head.bias"])
    return np.stack(logits)


def randomise(model: Model, *, seed: int = 0) -> Model:
    """The model with random weights in float64: no bias is zero, no matrix is special."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4, generator=generator)
    return model.double().eval()


def assert_equals_naive(
    model: SequenceModel, cell: Cell, *, num_memories: int = 1, scale: float = 1.0
) -> None:
    """The model equals the naive form in one pass and, as in sampling, token by token."""
    model = randomise(model)
    tokens = torch.randint(11, (2, 12), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole, _ = model(tokens)
        state, steps = None, []
        for token in tokens.split(1, dim=1):
            logits, state = model(token, state)
            steps.append(logits)
    for row in range(2):
        expected = naive_logits(
            model, tokens[row].numpy(), cell, num_memories=num_memories, scale=scale
        )
        np.testing.assert_allclose(whole[row].numpy(), expected, atol=1e-12)
        np.testing.assert_allclose(torch.cat(steps, dim=1)[row].numpy(), expected, atol=1e-12)
