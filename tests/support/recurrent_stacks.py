"""Every kind of recurrent stack, and its equations on the same weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor

from seqzoo import ArchitectureContext
from seqzoo_plugins import gru, lstm, rnn
from seqzoo_plugins.recurrent.options import RNNOptions
from seqzoo_plugins.recurrent.stack import RecurrentStack

V = 11

BUILD: dict[str, Callable[..., RecurrentStack]] = {
    "lstm": lambda **o: lstm.build(lstm.LSTMOptions(**o), ArchitectureContext(vocab_size=V)),
    "gru": lambda **o: gru.build(gru.GRUOptions(**o), ArchitectureContext(vocab_size=V)),
    "rnn-tanh": lambda **o: rnn.build(RNNOptions(**o), ArchitectureContext(vocab_size=V)),
    "rnn-relu": lambda **o: rnn.build(
        RNNOptions(nonlinearity="relu", **o), ArchitectureContext(vocab_size=V)
    ),
}
every_kind = pytest.mark.parametrize("kind", BUILD)


def by_the_cell(
    model: RecurrentStack, tokens: Tensor, state: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The result of `hidden` computed from the equations with the same weights."""
    model.by_the_cell = True
    try:
        return model.hidden(tokens, state)
    finally:
        model.by_the_cell = False
